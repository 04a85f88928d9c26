"""Which boards an image fits is decided by what is in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.boards import Board, board
from harness.errors import BoardMismatch
from harness.image.arch import Arch
from harness.image.model import Image, Kernel
from harness.lab.images import fitting
from harness.tests.boards.own import OWN
from harness.tests.image.plain import PLAIN

PI = ("cmdline.txt", "config.txt", "vmlinuz", "bootcode.bin", "start.elf", "start4.elf", "fixup4.dat")
TREES = ("bcm2710-rpi-3-b.dtb", "bcm2711-rpi-4-b.dtb", "overlays/disable-bt.dtbo")


def image(arch: Arch, *boot_files: str) -> Image:
    return replace(PLAIN, arch=arch, boot_files=boot_files)


def fits(one: Image) -> set[str]:
    return {name for name in OWN if not board(name).misfit(one)}


def test_programs_run_on_the_boards_of_their_architecture() -> None:
    assert board("pc-bios").other_than("amd64") == ""
    assert board("virt").other_than("amd64") == "it is built for amd64, and virt is arm64"
    assert board("virt").misfit(image("amd64", "vmlinuz")) == board("virt").other_than("amd64")


def test_an_image_fits_the_boards_of_its_architecture_and_firmware() -> None:
    assert fits(image("amd64", *PI, *TREES)) == {"pc-bios", "pc-uefi"}
    assert fits(image("arm64", "vmlinuz", "cmdline.txt")) == {"virt", "virt-uefi"}
    assert fits(image("arm64", *PI, *TREES)) == set(OWN) - {"pc-bios", "pc-uefi"}


def test_the_firmware_of_a_pi_without_its_device_trees_makes_no_image_for_one() -> None:
    assert fits(image("arm64", *PI)) == {"virt", "virt-uefi"}


def test_what_the_fat_calls_in_capitals_counts_too() -> None:
    assert not board("raspi-virt").misfit(image("arm64", "START4.ELF", "BCM2711-RPI-4-B.DTB"))


def test_a_mismatch_is_one_error_that_names_what_is_missing_and_what_fits() -> None:
    with pytest.raises(BoardMismatch) as raised:
        fitting(image("arm64", "vmlinuz"), board("raspi-virt"))
    said = str(raised.value)
    assert "cannot run on the board raspi-virt" in said
    assert "start.elf or start4.elf, bcm27*.dtb or bcm28*.dtb" in said
    assert "boards that can: virt-uefi, virt" in said


def test_an_image_larger_than_the_largest_card_is_refused_where_it_must_lie_on_one() -> None:
    largest = replace(image("arm64", *PI, *TREES), size=32 << 30)
    assert "raspi3b" in fits(largest)
    assert "raspi4b" in fits(largest)
    too_large = replace(largest, size=largest.size + 512)
    assert fits(too_large) == set(OWN) - {"pc-bios", "pc-uefi", "raspi3b", "raspi4b"}
    with pytest.raises(
        BoardMismatch, match=r"the largest SD card of raspi4b has 34359738368 \(32 GiB\)"
    ) as raised:
        fitting(too_large, board("raspi4b"))
    assert raised.value.where == "/images/mine.img"
    assert "raspi-virt" in raised.value.hint


def test_a_board_shows_a_display_only_to_who_draws_with_a_kernel_that_drives_it() -> None:
    def fitted(*drivers: str, draws: bool = True) -> Board:
        return board("pc-bios").fitted(replace(image("amd64"), kernel=Kernel("7.1", drivers=drivers), draws=draws))

    driven, other, untold = fitted("virtio-gpu", "simplefb"), fitted("simplefb"), fitted()
    assert "virtio-gpu-pci,xres=1024,yres=768" in driven.devices
    assert "display" in driven.has
    assert other.devices == board("pc-bios").devices
    assert "display" in other.lacks
    assert untold.devices == driven.devices
    assert "display" in untold.lacks
    assert driven.fitted(image("amd64")) is driven
    unasked = fitted("virtio-gpu", draws=False)
    assert unasked.devices == board("pc-bios").devices
    assert "display" in unasked.lacks


def test_a_board_without_a_display_is_the_same_for_every_image() -> None:
    assert board("virt").fitted(image("arm64")) is board("virt")
