"""SeaBIOS starts whatever the boot sector can load; what it cannot load is reported before QEMU starts."""

import struct
from pathlib import Path

import pytest

from harness.boards import board
from harness.errors import FirmwareFailure
from harness.firmware.bios import BiosStage
from harness.firmware.choice import stage_for
from harness.firmware.stage import Loaded
from harness.firmware.uefi import UefiStage
from harness.image.load import load_raw
from harness.image.model import Extent
from harness.image.source import FileSource
from harness.tests.image import synthetic


class Disk:
    """A disk that is off."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def source(self, extent: Extent) -> FileSource:
        """A stretch of it."""
        return FileSource(self._path, extent.offset, extent.size)


def image(tmp_path: Path, *, carries: int, size: int) -> Path:
    kernel = bytearray(synthetic.bzimage())
    kernel[0x1F1] = 39
    struct.pack_into("<I", kernel, 0x1F4, size // 16)
    return synthetic.write_image(
        tmp_path / "disk.img", tmp_path, kernel=bytes(kernel), boot_code=synthetic.loader_code(carries=carries)
    )


def test_a_kernel_that_is_too_large_is_the_appliances_fault_and_names_both_sizes(tmp_path: Path) -> None:
    path = image(tmp_path, carries=1, size=16548864 - 40 * 512)
    found = load_raw(path)
    stage = stage_for(board("pc-bios"), found.layout, tmp_path)
    with pytest.raises(FirmwareFailure) as raised:
        stage.prepare(Disk(path))
    assert raised.value.fault.value == 1
    assert raised.value.what == (
        "the boot sector cannot load this kernel: "
        "vmlinuz has 16548864 bytes, and the boot sector loads at most 15756288"
    )
    assert any("a PC with BIOS cannot start it: vmlinuz has 16548864" in note for note in found.notes)
    assert found.boot_sector.startswith("loads kernels up to 15735808 bytes")


def test_uefi_does_not_ask_the_boot_sector(tmp_path: Path) -> None:
    path = image(tmp_path, carries=1, size=16548864)
    stage = stage_for(board("pc-uefi"), load_raw(path).layout, tmp_path)
    assert isinstance(stage, UefiStage)
    assert stage.prepare(Disk(path)).code is not None


@pytest.mark.parametrize(("carries", "size"), [(1, 15 << 20), (2, 64 << 20)])
def test_a_kernel_that_fits_is_left_to_seabios(tmp_path: Path, carries: int, size: int) -> None:
    path = image(tmp_path, carries=carries, size=size)
    found = load_raw(path)
    assert stage_for(board("pc-bios"), found.layout, tmp_path).prepare(Disk(path)) == Loaded()
    assert not any("BIOS" in note for note in found.notes)


def test_a_disk_that_is_not_gokrazys_is_left_to_seabios(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(4096))
    assert BiosStage(Extent(1024, 2048)).prepare(Disk(path)) == Loaded()
    assert BiosStage().prepare(Disk(path)) == Loaded()


@pytest.mark.parametrize(
    ("offset", "data", "said", "to_do"),
    [
        (0, bytes(440), "the boot sector has no code", "pc-uefi"),
        (432, struct.pack("<I", 1), "from sector 1, where none begins", "vmlinuz was moved"),
    ],
)
def test_a_boot_sector_that_starts_nothing_says_why(
    tmp_path: Path, offset: int, data: bytes, said: str, to_do: str
) -> None:
    path = image(tmp_path, carries=2, size=15 << 20)
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)
    stage = stage_for(board("pc-bios"), load_raw(path).layout, tmp_path)
    with pytest.raises(FirmwareFailure, match=said) as raised:
        stage.prepare(Disk(path))
    assert to_do in raised.value.hint


def test_code_that_is_unknown_here_may_start_what_it_likes(tmp_path: Path) -> None:
    path = synthetic.write_image(tmp_path / "disk.img", tmp_path)
    assert stage_for(board("pc-bios"), load_raw(path).layout, tmp_path).prepare(Disk(path)) == Loaded()
