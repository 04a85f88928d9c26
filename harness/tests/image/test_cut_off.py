"""Images that a copy or a download broke off: none is taken for a whole one."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.errors import ImageError
from harness.image.copying import copy_sparse
from harness.image.formats import unwrap
from harness.image.load import image_from_file
from harness.image.zstd import zstd_reader, zstd_writer

_NOISE = os.urandom(300_000) + bytes(300_000) + b"words, " * 30_000


def _zstd(content: bytes) -> bytes:
    out = io.BytesIO()
    packer = zstd_writer(out, level=1)
    packer.write(content)
    packer.close()
    return out.getvalue()


def _read(packed: bytes) -> bytes:
    reader, found = zstd_reader(io.BytesIO(packed)), b""
    while piece := reader.read(100_000):
        found += piece
    return found


_FRAMES = {
    "one frame": _zstd(_NOISE),
    "two frames": _zstd(_NOISE[:7]) + _zstd(_NOISE),
    "a frame that is to be skipped": _zstd(_NOISE) + bytes.fromhex("5a2a4d1805000000") + b"12345",
}


@pytest.mark.parametrize("kind", _FRAMES)
def test_a_whole_zstd_file_is_read(kind: str) -> None:
    assert _read(_FRAMES[kind]).endswith(_NOISE)


@pytest.mark.parametrize("missing", [1, 3, 4, 5, 100, 250_000])
@pytest.mark.parametrize("kind", _FRAMES)
def test_a_zstd_file_that_is_cut_off_is_not_taken_for_a_whole_one(kind: str, missing: int) -> None:
    with pytest.raises(OSError, match="cut off"):
        _read(_FRAMES[kind][:-missing])


def _qcow2(raw: Path, out: Path) -> Path:
    if shutil.which("qemu-img") is None:
        pytest.skip("qemu-img is not installed")
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, out], check=True)
    return out


@pytest.mark.parametrize("missing", [65537, 700_000])
def test_a_qcow2_file_that_is_cut_off_is_not_filled_with_zeros(tmp_path: Path, missing: int) -> None:
    (tmp_path / "raw").write_bytes(os.urandom(1 << 20))
    path = _qcow2(tmp_path / "raw", tmp_path / "disk.qcow2")
    assert unwrap(path, work=tmp_path).read_bytes() == (tmp_path / "raw").read_bytes()
    os.truncate(path, path.stat().st_size - missing)
    with pytest.raises(ImageError, match="The qcow2 file is cut off") as caught:
        unwrap(path, work=tmp_path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize("wrapping", ["qcow2", "gzip"])
def test_what_is_wrong_with_an_unpacked_image_is_said_of_the_file_that_was_given(
    small_image: Path, tmp_path: Path, wrapping: str
) -> None:
    raw = copy_sparse(small_image, tmp_path / "raw")
    with raw.open("r+b") as file:
        file.seek(109051904)
        file.write(bytes(4096))
    path = _qcow2(raw, tmp_path / "given.qcow2")
    if wrapping == "gzip":
        path.with_suffix(".gz").write_bytes(gzip.compress(path.read_bytes(), 1))
        path = path.with_suffix(".gz")
    with pytest.raises(ImageError, match="root file system cannot be read") as caught:
        image_from_file(path, work=tmp_path / "work")
    assert caught.value.where.startswith(f"{path}, squashfs at byte")
