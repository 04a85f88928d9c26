"""What the boards of a run refuse, and what QEMU does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.boards import boards
from harness.errors import OptionError
from harness.lab.boards import equipped
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
