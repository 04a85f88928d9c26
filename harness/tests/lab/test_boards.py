"""What the boards of a run refuse, and what QEMU does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.boards import boards
from harness.errors import OptionError
from harness.lab.boards import equipped, with_hardware
from harness.lab.lab import Lab
from harness.lab.trial import try_arguments
from harness.machine.extra_disk import ExtraDisk
from harness.options import Settings

DISK = (ExtraDisk(size=1 << 20),)


@pytest.mark.parametrize(
    ("names", "settings"),
    [
        (("raspi3b", "virt"), Settings(memory=2048, cpus=1, disk=DISK)),
        (("raspi3b", "raspi4b"), Settings(memory=2048)),
        (("raspi3b", "raspi4b"), Settings(qemu_arg=("-d", "int"))),
        ((), Settings(memory=2048)),
    ],
    ids=str,
)
def test_one_board_that_takes_all_is_enough(names: tuple[str, ...], settings: Settings) -> None:
    assert equipped(boards(names), settings) == boards(names)


def test_where_no_board_takes_it_the_first_one_says_what_it_has() -> None:
    with pytest.raises(OptionError) as caught:
        equipped(boards(("raspi3b", "raspi4b")), Settings(memory=512, disk=DISK))
    assert caught.value.what == (
        "raspi3b cannot have 512 MiB of memory, a further disk: "
        "it has 1024 MiB of memory, 4 processors and one SD card"
    )
    assert caught.value.where == "raspi3b, raspi4b"


def made(names: tuple[str, ...], *hardware: str) -> tuple[list[str], list[str]]:
    """The names of the boards with these parts, and the notes."""
    notes: list[str] = []
    return [one.name for one in with_hardware(boards(names), hardware, notes.append)], notes


def test_each_board_is_played_with_each_of_the_parts() -> None:
    names, notes = made(("pc-bios", "virt"), "nvme+igb", "ahci")
    assert names == ["pc-bios:nvme+igb", "virt:nvme+igb", "pc-bios:ahci", "virt:ahci"]
    assert notes == []
    assert made(("pc-bios:nvme",), "igb")[0] == ["pc-bios:nvme+igb"]
    assert made(("pc-bios",))[0] == ["pc-bios"]


def test_a_board_that_cannot_have_the_parts_is_left_out_with_its_reason() -> None:
    names, notes = made(("pc-bios", "virt", "raspi4b"), "q35")
    assert names == ["pc-bios:q35"]
    assert notes[0] == "left out: virt:q35: virt cannot have q35: only a PC has it"
    assert notes[1].startswith("left out: raspi4b:q35: raspi4b has the hardware of its machine")


def test_where_no_board_can_have_the_parts_the_first_reason_is_the_error() -> None:
    with pytest.raises(OptionError, match="virt cannot have q35: only a PC has it"):
        made(("virt", "raspi4b"), "q35")
    with pytest.raises(OptionError, match="nvme and ahci are two of a kind"):
        made(("pc-bios:nvme",), "ahci")


def test_a_part_and_an_option_that_contradict_each_other_are_an_error() -> None:
    with pytest.raises(OptionError, match="virt:5gib has 5 GiB of memory, and --gk-memory says 1024"):
        equipped(boards(("virt:5gib",)), Settings(memory=1024))
    with pytest.raises(OptionError, match="virt:1cpu has one processor, and --gk-cpus says 4"):
        equipped(boards(("virt:1cpu",)), Settings(cpus=4))
    assert equipped(boards(("virt:5gib",)), Settings(memory=5120, cpus=4))


@pytest.mark.parametrize("name", ["virt", "raspi3b"])
@pytest.mark.skipif(shutil.which("qemu-system-aarch64") is None, reason="QEMU is not installed")
def test_what_qemu_refuses_is_the_users_error_with_its_words(tmp_path: Path, name: str) -> None:
    (board,) = boards((name,))
    settings = Settings(cache=tmp_path, accel="tcg", qemu_arg=("-device", "toaster"), disk=DISK)
    with Lab(settings) as lab, pytest.raises(OptionError, match="-device toaster") as caught:
        try_arguments(lab.starts, board)
    assert "'toaster' is not a valid device model name" in caught.value.evidence
    with Lab(Settings(cache=tmp_path, accel="tcg", qemu_arg=("-d", "unimp"), disk=DISK)) as lab:
        try_arguments(lab.starts, board)
        assert list(lab.folders.run_dir.work.glob("trial*/*")) == []
