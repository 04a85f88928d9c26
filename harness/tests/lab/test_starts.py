"""How an appliance starts: cold, warm or off. No QEMU is started here."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.appliance.appliance import Appliance
from harness.boards import board
from harness.errors import KernelPanic
from harness.firmware.voice import Voice
from harness.lab.equipment import equipment
from harness.lab.plan import How, Plan
from harness.lab.snapshots import Booted
from harness.lab.ssh_keys import KeyChoice
from harness.lab.starts import Starts
from harness.lab.targets import Target, Targets
from harness.options import Settings
from harness.tests.image.plain import PLAIN
from harness.tests.lab.played import HEARD, IMAGE, wanted

SILENT = Voice("ttyAMA0", kernel=False, init=False, why="nobody speaks there")


def plan(name: str, settings: Settings, *, voice: Voice = HEARD, **asked: Any) -> Plan:
    on = board(name)
    target = Target(on, IMAGE, equipment(settings, IMAGE).on(on), voice, KeyChoice())
    return Plan.of(wanted("t", name, **asked), target, settings)


def test_what_nobody_started_is_off_whatever_else_is_asked() -> None:
    assert plan("virt", Settings(), running=False, cold=True).how is How.OFF


@pytest.mark.parametrize(
    ("name", "asked", "warm", "how"),
    [
        ("virt", {}, "session", How.WARM),
        ("virt", {}, "persist", How.WARM),
        ("virt", {}, "off", How.COLD),
        ("virt", {"cold": True}, "session", How.COLD),
        ("virt:ahci+igb", {}, "session", How.WARM),
        ("virt:nvme+igb", {}, "session", How.COLD),
        ("virt", {"about_boot": True}, "session", How.WARM),
        ("virt", {"about_boot": True}, "persist", How.COLD),
        ("raspi3b", {}, "session", How.WARM),
        ("raspi3b", {"about_boot": True}, "session", How.COLD),
        ("raspi4b", {"about_boot": True}, "session", How.COLD),
        ("raspi4b", {}, "persist", How.WARM),
        ("pc-bios", {"reboots": True}, "session", How.WARM),
        ("virt", {"network": "open"}, "session", How.COLD),
        ("virt", {"network": "restricted"}, "session", How.WARM),
        ("raspi-virt", {"clock": "now"}, "session", How.COLD),
        ("raspi-virt", {"clock": "unset"}, "session", How.WARM),
    ],
)
def test_a_copy_is_given_where_it_shows_what_the_test_asks_for(
    name: str, asked: dict[str, Any], warm: Any, how: How
) -> None:
    assert plan(name, Settings(warm=warm), **asked).how is how


@pytest.mark.parametrize(
    ("name", "given", "voice", "how"),
    [
        ("raspi4b", {}, SILENT, How.COLD),
        ("virt", {}, SILENT, How.WARM),
        ("raspi4b", {"no_quirks": True}, HEARD, How.COLD),
        ("virt", {"no_quirks": True}, HEARD, How.WARM),
        ("virt", {"qemu_arg": ("-d", "int")}, HEARD, How.COLD),
        ("virt", {"network": "open"}, HEARD, How.WARM),
    ],
)
def test_a_run_gives_copies_where_it_can_capture(name: str, given: dict[str, Any], voice: Voice, how: How) -> None:
    assert plan(name, Settings(**given), voice=voice).how is how


@pytest.mark.parametrize(
    ("name", "asked", "given", "sets"),
    [
        ("raspi-virt", "now", "unset", True),
        ("raspi-virt", None, "now", True),
        ("raspi-virt", "unset", "now", False),
        ("virt", "now", "now", False),
    ],
)
def test_only_a_board_without_a_clock_is_given_the_time(name: str, asked: Any, given: Any, sets: bool) -> None:
    assert plan(name, Settings(clock=given), clock=asked).sets_clock is sets


def test_the_same_bytes_are_known_better_by_one_who_made_them() -> None:
    targets = Targets(Settings(), SimpleNamespace(choice=lambda _: KeyChoice()))  # type: ignore[arg-type]
    given = replace(PLAIN, password=None)
    made = replace(PLAIN, password="secret")
    for image in (given, made, given, made):
        assert targets.of(board("virt"), image).image == image


def test_a_test_whose_snapshot_did_not_come_up_is_shown_the_machine_that_died(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts = Starts.__new__(Starts)
    asked, dead = plan("virt", Settings()), cast(Appliance, object())
    name = f"captured-virt-{IMAGE.hostname}"
    starts.live = {}

    def dies(_: Target) -> Booted:
        starts.live[name] = dead
        raise KernelPanic("the kernel gave up")

    def is_refused(_: Target) -> Booted:
        raise KernelPanic("an earlier start failed")

    monkeypatch.setattr(starts, "snapshot", dies)
    with pytest.raises(KernelPanic):
        starts._booted(asked)
    assert starts.live.pop("t") is dead
    monkeypatch.setattr(starts, "snapshot", is_refused)
    with pytest.raises(KernelPanic):
        starts._booted(asked)
    assert "t" not in starts.live, "it is another test's machine, long gone"
