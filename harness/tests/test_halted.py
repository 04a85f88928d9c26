"""A Raspberry Pi whose kernel can only halt, on the real machine that test_power.py plays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.appliance.wanted import Wanted
from harness.boards import board
from harness.lab.lab import Lab
from harness.options import Settings

pytestmark = pytest.mark.gk_tier("nightly")

BOARD = "raspi4b"
NO_RESTART = b" initcall_blacklist=syscon_reboot_driver_init"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Lab(Settings(boards=(BOARD,), artifacts=tmp_path)) as lab:
        lab.prepare({(BOARD, "hello"): False})
        yield lab


def without_restart(cmdline: bytes) -> bytes:
    text = cmdline.rstrip(b" ")
    assert len(text) + len(NO_RESTART) <= len(cmdline), "the padding of cmdline.txt has no room for it"
    return (text + NO_RESTART).ljust(len(cmdline))


def test_a_reboot_that_ends_in_a_halt_goes_on_in_a_new_machine_and_is_reported(lab: Lab) -> None:
    with lab.appliance(Wanted(board(BOARD), "halted", running=False)) as appliance:
        appliance.edit_boot_file("cmdline.txt", without_restart)
        appliance.power_on()
        appliance.wait_until_ready()
        appliance.reboot()
        assert [power_on.cause for power_on in appliance.power.power_ons] == ["power-on", "halted"]
        assert len(appliance.console.boots) == 2
        assert appliance.console.unclean() == []
    facts = lab.journal.take()["facts"]
    assert isinstance(facts, dict)
    assert facts["power-cycled raspi4b"].startswith("1 times")
