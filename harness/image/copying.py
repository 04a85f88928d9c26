"""Copies of large files that are mostly holes, or none at all where a link will do."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import HostDiskFull
from harness.image.extents import data_of

BLOCK = 64 * 1024


def copy_sparse(source: Path, dest: Path) -> Path:
    """Copy a file leaving holes for zeroes (arm64's variables are 64 MiB of nothing); raises HostDiskFull."""
    zeroes = bytes(BLOCK)
    try:
        # Unbuffered: where it is read next is also moved by whoever looks for data.
        with source.open("rb", buffering=0) as file, dest.open("xb") as out:
            dest.chmod(0o600)
            for start, end in data_of(file.fileno(), os.fstat(file.fileno()).st_size):
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
