"""What the programs of kernel repositories' instances say on the console, and what it means."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.boards import board
from harness.boards.board import Budget
from harness.bootery.success import hardware_for, must_have_hardware, wait_for_success
from harness.console.console import Console
from harness.errors import ApplianceFault, HostFault, WaitTimeout
from harness.tests.console.replay import FakeMachine

STAMP = 1594103608


def image(*services: str) -> Any:
    """An image with these programs."""
    return SimpleNamespace(service=lambda name: name if name in services else None)


class Device:
    """A console that says what it is told to."""

    def __init__(self, folder: Path, limit: float) -> None:
        self.console = Console(folder, name="played")
        self.guest = FakeMachine()
        self.console.attach(self.guest.theirs)
        self.console.powered_on()
        self.appliance: Any = SimpleNamespace(console=self.console, budget=Budget(reboot=limit))

    def judge(self, services: tuple[str, ...], said: str, newer: int = 0) -> None:
        """Wait for its success, once it has said this."""
        mark = self.console.mark()
        self.guest.say(said)
        wait_for_success(self.appliance, image(*services), mark, newer)


@contextlib.contextmanager
def device(folder: Path, limit: float = 20.0) -> Iterator[Device]:
    """One whose waits have this limit."""
    made = Device(folder, limit)
    try:
        yield made
    finally:
        made.guest.end()
        made.console.close()


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ((), ""),
        (("bake",), "SUCCESS\r\n"),
        (("bake",), "2026/11/26 18:33:25 bake: SUCCESS\r\n"),
        (("timestamps",), f"2026/11/26 timestamps: boot: x, root: y, boot={STAMP} root={STAMP}\r\n"),
        (("bake", "timestamps"), f"timestamps: boot={STAMP} root=1\r\nSUCCESS\r\n"),
        (("bake", "timestamps"), f"SUCCESS\r\ntimestamps: boot={STAMP} root=1\r\n"),
    ],
)
def test_what_says_so_has_succeeded(tmp_path: Path, services: tuple[str, ...], said: str) -> None:
    with device(tmp_path) as played:
        played.judge(services, said, newer=STAMP - 1)


@pytest.mark.parametrize("said", ["FAILURE: testUSB: none\r\n", "2026/11/26 bake: FAILURE: testUSB: none\r\n"])
def test_a_failure_of_bake_is_one_at_once(tmp_path: Path, said: str) -> None:
    with device(tmp_path) as played, pytest.raises(ApplianceFault, match="bake says FAILURE: testUSB: none"):
        played.judge(("bake",), said)


@pytest.mark.parametrize("said", ["", "UNSUCCESSFUL\r\n", "SUCCESS of another\r\n"])
def test_without_the_word_there_is_no_success(tmp_path: Path, said: str) -> None:
    with device(tmp_path, 0.3) as played, pytest.raises(WaitTimeout, match="SUCCESS, which bake says"):
        played.judge(("bake",), said)


def test_an_old_boot_file_system_is_none(tmp_path: Path) -> None:
    with device(tmp_path) as played, pytest.raises(ApplianceFault, match=f"of {STAMP}, not newer than {STAMP} "):
        played.judge(("timestamps",), f"timestamps: boot={STAMP} root={STAMP}\r\n", newer=STAMP)


def test_bake_finds_hardware_that_it_knows_where_there_can_be_any() -> None:
    assert hardware_for(image()) == ()
    assert any("mac=b8:27:eb:" in argument for argument in hardware_for(image("bake")))
    must_have_hardware(image("bake"), board("virt"))
    must_have_hardware(image(), board("raspi3b"))
    with pytest.raises(HostFault, match="that raspi3b cannot have in QEMU"):
        must_have_hardware(image("bake"), board("raspi3b"))
