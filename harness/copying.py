"""Copies of large files that are mostly holes, or none at all where a link will do."""

from __future__ import annotations

from pathlib import Path

from harness.errors import HostDiskFull

BLOCK = 64 * 1024


def copy_sparse(source: Path, dest: Path) -> Path:
    """Copy a file leaving holes for zeroes (arm64's variables are 64 MiB of nothing); raises HostDiskFull."""
    zeroes = bytes(BLOCK)
    try:
        with source.open("rb") as file, dest.open("xb") as out:
            dest.chmod(0o600)
            while block := file.read(BLOCK):
                if block == zeroes[: len(block)]:
                    out.seek(len(block), 1)
                else:
                    out.write(block)
            out.truncate()
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
