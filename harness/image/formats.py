"""Finished images in the wrappings that they come in: gzip, xz, zstd, qcow2; all become a sparse raw file."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import os
import tempfile
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from harness.errors import DISK_FULL, HostDiskFull, ImageError
from harness.image.hosttool import evidence, run_tool
from harness.image.source import FileSource
from harness.image.zstd import zstd_reader

_CHUNK = 1 << 20
_MOST_BYTES = 256 << 30
_MOST_LAYERS = 3

_BEYOND_END = b"exceeding the end of the file"
"""What qemu-img says of a cluster that the file does not have (block/qcow2-refcount.c)."""

_MAGICS = (
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"QFI\xfb", "qcow2"),
    (b"PK\x03\x04", "zip"),
)


def kind_of(path: Path) -> str:
    """How a file is wrapped, by its first bytes and not by its name: gzip, xz, zstd, qcow2, zip, or raw."""
    first = FileSource(path).read_at(0, 8)
    return next((kind for magic, kind in _MAGICS if first.startswith(magic)), "raw")


def unwrap(path: Path, *, work: Path) -> Path:
    """The file without its wrappings: ``path`` itself if it has none, else a new file in ``work``.

    Zip files are left as they are. Raises ImageError for damaged wrappings, HostDiskFull when there is no room.
    """
    here = path
    for _ in range(_MOST_LAYERS):
        kind = kind_of(here)
        if kind in ("raw", "zip"):
            return here
        done = _unwrap_once(here, kind, path, work)
        if here not in (path, done):
            here.unlink(missing_ok=True)
        here = done
    raise ImageError(
        f"The image is wrapped more than {_MOST_LAYERS} times.", where=str(path), hint="Unpack it first."
    )


def place_for(path: Path, work: Path) -> Path:
    """A file name in ``work`` that is this image's own."""
    work.mkdir(parents=True, exist_ok=True)
    mark = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    return work / f"{path.name.split('.', 1)[0]}-{mark}.raw"


def _unwrap_once(path: Path, kind: str, original: Path, work: Path) -> Path:
    out = place_for(original, work)
    handle, name = tempfile.mkstemp(prefix=out.name, suffix=".part", dir=work)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            if kind != "qcow2":
                _decompress(path, kind, file, original)
        if kind == "qcow2":
            _convert(path, part, original)
        part.replace(out)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise HostDiskFull(
                "There is no room to unpack the image.",
                where=str(work),
                hint="Free some space, or point the cache to a larger file system.",
            ) from error
        raise ImageError(
            f"The image cannot be unpacked: {error.strerror or error}.",
            where=str(original),
            hint="Copy or download it again.",
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return out


def _decompress(path: Path, kind: str, out: BinaryIO, original: Path) -> None:
    try:
        with path.open("rb") as packed:
            reader = _reader(packed, kind)
            size = 0
            while chunk := reader.read(_CHUNK):
                size += len(chunk)
                if size > _MOST_BYTES:
                    raise OSError(f"it unpacks to more than {_MOST_BYTES >> 30} GiB")
                if chunk.count(0) == len(chunk):
                    out.seek(len(chunk), os.SEEK_CUR)
                else:
                    out.write(chunk)
            out.truncate(size)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise ImageError(
            f"The {kind} file is damaged or cut off: {error}.",
            where=str(original),
            hint="Copy or download it again.",
        ) from error


def _reader(packed: BinaryIO, kind: str) -> BinaryIO:
    if kind == "gzip":
        return cast("BinaryIO", gzip.GzipFile(fileobj=packed))
    if kind == "xz":
        return cast("BinaryIO", lzma.LZMAFile(packed))
    return zstd_reader(packed)


def _convert(path: Path, out: Path, original: Path) -> None:
    # A foreign image must not make us read other files of this machine.
    info = run_tool(["qemu-img", "info", "-U", "-f", "qcow2", "--output=json", path])
    if info.returncode != 0:
        raise _bad_qcow2(original, "it cannot be read", evidence(info))
    described = json.loads(info.stdout)
    specific = described.get("format-specific", {}).get("data", {})
    if described.get("backing-filename") or specific.get("data-file"):
        raise _bad_qcow2(original, "it needs another file", "backing file or data file")
    # qemu-img reads zeros where the file is missing its end.
    checked = run_tool(["qemu-img", "check", "-U", "-f", "qcow2", path])
    if _BEYOND_END in checked.stderr:
        raise ImageError(
            "The qcow2 file is cut off: it has less than its own tables name.",
            where=str(original),
            hint="Copy or download it again.",
        )
    done = run_tool(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, out])
    if done.returncode != 0:
        raise _bad_qcow2(original, "it cannot be converted", evidence(done))


def _bad_qcow2(path: Path, what: str, seen: str) -> ImageError:
    return ImageError(
        f"The qcow2 image cannot be used: {what}.",
        where=str(path),
        hint="Convert it by hand with `qemu-img convert -O raw`, or copy it again.",
        evidence=seen,
    )
