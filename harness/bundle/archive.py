"""The file of a bundle: a tar archive under zstd, whose first member says what the others are.

Memory and disks are mostly holes: they are written as GNU tar writes sparse files, so any tar unpacks them.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from harness.errors import DISK_FULL, HostDiskFull, OptionError
from harness.image.extents import data_of
from harness.image.zstd import zstd_reader, zstd_writer

NAME = "bundle.tar.zst"
FIRST = "bundle.json"
LAST = "end"
"""An empty member behind all others: a stream that was cut off lacks it."""
LEVEL = 1
"""Of zstd: memory is packed about as fast as it is read, and a higher level saves little."""
PIECE = 1 << 20
MOST_FACTS = 16 << 20
"""Bytes of the first member; more is not from us."""
_NAMES = re.compile(r"(?:logs/)?[A-Za-z0-9_][A-Za-z0-9._-]*")
_BLOCK = 512


def pack(dest: Path, texts: Mapping[str, bytes], files: Mapping[str, Path]) -> int:
    """Write a bundle of these members, ``bundle.json`` first among the texts; returns its bytes.

    Only its owner may read it, and it is there whole or not at all. Raises HostDiskFull.
    """
    part = dest.with_name(f"{dest.name}.part")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            packer = zstd_writer(file, level=LEVEL)
            with tarfile.open(fileobj=packer, mode="w|", format=tarfile.PAX_FORMAT, bufsize=PIECE) as tar:
                _in_large_pieces(tar)
                for name, text in texts.items():
                    tar.addfile(_member(name, len(text)), io.BytesIO(text))
                for name, path in files.items():
                    _add_sparse(tar, name, path)
                tar.addfile(_member(LAST, 0))
            packer.close()
        size = part.stat().st_size
        part.rename(dest)
    except OSError as error:
        raise HostDiskFull(f"the bundle cannot be written: {error.strerror}", where=str(dest)) from error
    finally:
        part.unlink(missing_ok=True)
    return size


def first(source: Path) -> bytes:
    """The first member, which says what the bundle is; raises OptionError."""
    with _opened(source) as tar:
        member = tar.next()
        content = tar.extractfile(member) if member is not None else None
        if member is None or content is None or member.name != FIRST or member.size > MOST_FACTS:
            raise OptionError(
                "this is no bundle", where=str(source), hint=f"name the file {NAME} of a failed test"
            )
        return content.read()


def unpack(source: Path, folder: Path) -> None:
    """Unpack all members into a new folder of ours; raises OptionError, HostDiskFull.

    The archive may be a stranger's: a member that is no plain file, or whose name leads elsewhere, is refused.
    """
    (folder / "logs").mkdir(mode=0o700)
    # Python 3.11 has it from its fourth release on; what it refuses, the names here cannot be.
    filtered: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with _opened(source) as tar:
        for member in tar:
            if not member.isreg() or not _NAMES.fullmatch(member.name) or (folder / member.name).exists():
                raise OptionError(
                    f"this bundle has a member {member.name!r}, which none of ours has", where=str(source)
                )
            member.mode = 0o600
            tar.extract(member, folder, set_attrs=False, **filtered)
        while cast("Any", tar.fileobj).read(PIECE):
            pass  # up to the checksum
    if not (folder / LAST).is_file():
        raise damaged(source, "its end is missing")
    (folder / LAST).unlink()


@contextmanager
def _opened(source: Path) -> Iterator[tarfile.TarFile]:
    try:
        with (
            source.open("rb") as file,
            tarfile.open(fileobj=zstd_reader(file), mode="r|", bufsize=PIECE, errorlevel=1) as tar,
        ):
            _in_large_pieces(tar)
            yield tar
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise damaged(source, error) from error
    except OSError as error:
        if error.errno in DISK_FULL:
            raise HostDiskFull(f"no room to unpack the bundle: {error.strerror}", where=str(source)) from error
        if error.errno is not None and error.filename == str(source):
            raise OptionError(
                f"the bundle cannot be read: {error.strerror}", where=str(source), hint="check its path"
            ) from error
        raise damaged(source, error) from error


def _in_large_pieces(tar: Any) -> None:
    # An attribute since Python 3.8: 16 KiB at a time take twice as long.
    tar.copybufsize = PIECE


def damaged(where: Path, why: Exception | str, *, evidence: str = "") -> OptionError:
    """The error of a bundle that is not whole."""
    hint = "fetch it once more from where it was made"
    return OptionError(f"this bundle is damaged: {why}", where=str(where), hint=hint, evidence=evidence)


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


def _add_sparse(tar: tarfile.TarFile, name: str, path: Path) -> None:
    """Add a file without its holes, in the form 1.0 of GNU tar: a map of its stretches, then those."""
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        stretches = [(start, end - start) for start, end in data_of(file.fileno(), size)]
        places = [*stretches, (size, 0)]
        numbers = [len(places), *(number for place in places for number in place)]
        text = "".join(f"{number}\n" for number in numbers).encode()
        text += bytes(-len(text) % _BLOCK)
        member = _member(f"GNUSparseFile.0/{name}", len(text) + sum(length for _, length in stretches))
        member.pax_headers = {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": name,
            "GNU.sparse.realsize": str(size),
        }
        tar.addfile(member, cast("Any", _Sparse(text, file, stretches)))


class _Sparse:
    """What ``tarfile`` reads a sparse member from: its map, then the stretches of the file."""

    def __init__(self, text: bytes, file: BinaryIO | Any, stretches: list[tuple[int, int]]) -> None:
        self._pieces = self._read(text, file, stretches)
        self._left = b""

    def read(self, size: int) -> bytes:
        """So many bytes, fewer only at the end."""
        parts, missing = [], size
        while missing:
            piece = self._left or next(self._pieces, b"")
            if not piece:
                break
            parts.append(piece[:missing])
            self._left = piece[missing:]
            missing -= len(parts[-1])
        return b"".join(parts)

    @staticmethod
    def _read(text: bytes, file: Any, stretches: list[tuple[int, int]]) -> Iterator[bytes]:
        yield text
        for start, length in stretches:
            file.seek(start)
            while length:
                piece = file.read(min(PIECE, length))
                if not piece:
                    # It became shorter meanwhile: what is missing is zeroes.
                    piece = bytes(min(PIECE, length))
                yield piece
                length -= len(piece)
