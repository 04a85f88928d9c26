"""Disks beyond the first, and what distinguishes them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from harness.machine.disk_overlay import run_tool
from harness.machine.extra_disk import ExtraDisk

pytestmark = pytest.mark.skipif(
    not any(os.access(Path(folder) / "qemu-img", os.X_OK) for folder in os.environ["PATH"].split(":")),
    reason="qemu-img is not installed",
)


def qcow2(path: Path, *over: str) -> Path:
    run_tool("qemu-img", ["create", "-q", "-f", "qcow2", *over, str(path), *([] if over else ["1M"])])
    return path


def test_a_file_is_told_by_its_content_and_an_empty_disk_by_its_size(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one, other):
        path.write_bytes(b"content".ljust(4096, b"\0"))
    assert ExtraDisk(one).digest == ExtraDisk(other).digest
    other.write_bytes(b"Content".ljust(4096, b"\0"))
    assert ExtraDisk(one).digest != ExtraDisk(other).digest
    assert ExtraDisk(size=1 << 20).digest == ExtraDisk(size=1 << 20).digest != ExtraDisk(size=1 << 21).digest


def test_what_lies_under_a_qcow2_counts_too(tmp_path: Path) -> None:
    base = tmp_path / "base.img"
    base.write_bytes(b"one".ljust(1 << 20, b"\0"))
    top = qcow2(tmp_path / "top.qcow2", "-b", str(base), "-F", "raw")
    before = ExtraDisk.parse(str(top))
    assert before.file_format == "qcow2"
    first = before.digest
    base.write_bytes(b"two".ljust(1 << 20, b"\0"))
    assert ExtraDisk.parse(str(top)).digest != first


@pytest.mark.parametrize("kind", ["raw", "qcow2"])
def test_a_machine_writes_to_a_layer_of_its_own(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "data, mine.img"
    if kind == "qcow2":
        qcow2(file)
    else:
        file.write_bytes(bytes(1 << 20))
    file.chmod(0o444)
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    disk = ExtraDisk.parse(str(file))
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        layer = disk.overlay(tmp_path / name, "disk2.qcow2")
        assert (layer.size, layer.read(4096, 4)) == (1 << 20, bytes(4))
        layer.write(4096, b"mine")
        assert layer.read(4096, 4) == b"mine"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before


def test_a_size_is_counted_in_powers_of_1024() -> None:
    sizes = [ExtraDisk.parse(text).size for text in ("512K", "64M", "1G", "2T")]
    assert sizes == [512 << 10, 64 << 20, 1 << 30, 2 << 40]
