"""Copies of large files that are mostly holes, or none at all where a link will do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from harness.errors import HostDiskFull

BLOCK = 64 * 1024


def copy_sparse(source: Path, dest: Path) -> Path:
    """Copy a file leaving holes for zeroes (arm64's variables are 64 MiB of nothing); raises HostDiskFull."""
    zeroes = bytes(BLOCK)
    try:
        # Unbuffered: where it is read next is also moved by whoever looks for data.
        with source.open("rb", buffering=0) as file, dest.open("xb") as out:
            dest.chmod(0o600)
            for start, end in _data(file.fileno()):
                file.seek(start)
                out.seek(start)
                while block := file.read(min(BLOCK, end - file.tell())):
                    if block == zeroes[: len(block)]:
                        out.seek(len(block), os.SEEK_CUR)
                    else:
                        out.write(block)
            out.truncate(source.stat().st_size)
    except FileExistsError:
        raise
    except OSError as error:
        raise HostDiskFull(f"cannot copy {source.name}: {error.strerror}", where=str(dest)) from error
    return dest


def link_or_copy(source: Path, dest: Path) -> Path:
    """Give a file that nobody changes another name, or a copy where the file systems allow no link."""
    try:
        dest.hardlink_to(source)
    except OSError:
        copy_sparse(source, dest)
    return dest


def _data(file: int) -> Iterator[tuple[int, int]]:
    """Where an open file has data, from start to end: what lies between is holes, which nobody need read."""
    end = 0
    while True:
        try:
            start = os.lseek(file, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        end = os.lseek(file, start, os.SEEK_HOLE)
        yield start, end
