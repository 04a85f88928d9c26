"""The matrix of hardware: what counts as what, from boots that are only played."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from harness.boards import boards
from harness.console.phases import Boot, Cause, Phase
from harness.errors import BootFailure, OptionError, QemuFailed
from harness.lab.matrix import HEAD, Row, matrix
from harness.options import Settings

DRIVERS = ("virtio_blk", "virtio_net", "nvme", "igb", "i6300esb")
FED = 'gokrazy: 2026/07/05 found hardware watchdog "i6300ESB timer" with timeout 30s, pinging...'


class PlayedLab:
    """Boots nothing: ``fails`` says on which boards init never runs, ``mute`` on which nobody answers."""

    def __init__(self, *names: str, **given: Any) -> None:
        self.boards = boards(names)
        self.settings = given.pop("settings", Settings())
        self.said: list[str] = []
        self.journal = SimpleNamespace(say=self.said.append)
        self.booted: list[str] = []
        self.given = given

    def skip_reason(self, wanted: Any) -> str:
        """Nothing is missing here but what a test says."""
        return str(self.given.get("skipped", {}).get(wanted.board.name, ""))

    @contextmanager
    def appliance(self, wanted: Any) -> Iterator[Any]:
        """One whose start goes as the test says."""
        name = wanted.board.name
        assert wanted.cold
        assert not wanted.running
        self.booted.append(name)
        boot = Boot(1, Cause.POWER_ON, 0.0, {} if name in self.given.get("fails", ()) else {Phase.INIT: 2.0})

        def wait() -> None:
            if name in (*self.given.get("fails", ()), *self.given.get("mute", ())):
                raise BootFailure("nobody answered")

        yield SimpleNamespace(
            image=SimpleNamespace(cmdline="rootwait", kernel=SimpleNamespace(drivers=DRIVERS)),
            board=wanted.board,
            can=lambda ability: ability not in self.given.get("cannot", ()),
            power_on=lambda: None,
            wait_until_ready=wait,
            check=lambda: None,
            console=SimpleNamespace(
                boots=[boot], lines=lambda: [SimpleNamespace(text=self.given.get("line", FED))]
            ),
            power=SimpleNamespace(machine=SimpleNamespace(wait_event=self._wait_event)),
        )

    def _wait_event(self, wanted: Any, limit: float) -> Any:
        assert limit > 30
        bite = SimpleNamespace(name="WATCHDOG")
        return bite if self.given.get("bites") and wanted(bite) else None


def rows(lab: PlayedLab, *hardware: str) -> Mapping[str, Row]:
    played: Any = lab
    return {row.board: row for row in matrix(played, hardware)}


def test_each_board_is_booted_with_its_own_hardware_and_with_each_part() -> None:
    lab = PlayedLab("pc-bios", "virt")
    found = rows(lab, "nvme+igb", "q35", "virtio-net")
    assert lab.booted == ["pc-bios", "pc-bios:nvme+igb", "virt", "virt:nvme+igb"]
    assert list(found) == [
        *("pc-bios", "pc-bios:nvme+igb", "pc-bios:q35", "pc-bios:virtio-net"),
        *("virt", "virt:nvme+igb", "virt:q35", "virt:virtio-net"),
    ]
    # What a board has anyway is what it does by itself.
    assert found["pc-bios:q35"].boots
    assert found["virt:q35"].refused
    assert found["virt:q35"].line.endswith("cannot: virt cannot have q35: only a PC has it")
    assert lab.said[0] == HEAD
    assert lab.said[1:] == [row.line for row in found.values()]
    assert not any(row.is_failure for row in found.values())
    json.dumps([row.as_json() for row in found.values()])


def test_without_parts_all_of_the_table_is_tried_and_a_fixed_board_has_only_its_own() -> None:
    lab = PlayedLab("virt", "raspi4b")
    found = rows(lab)
    assert {"virt:nvme", "virt:i6300esb", "virt:8cpus", "virt:microvm"} <= set(found)
    assert [name for name in found if name.startswith("raspi4b")] == ["raspi4b"]


@pytest.mark.parametrize(
    ("board", "given", "seen", "works"),
    [
        ("virt", {}, (True, True, None), True),
        ("virt", {"fails": ["virt"]}, (False, None, None), False),
        ("virt", {"mute": ["virt"]}, (True, False, None), False),
        ("virt", {"mute": ["virt"], "cannot": ["console"]}, (None, False, None), False),
        ("virt", {"cannot": ["http"]}, (True, None, None), True),
        ("virt", {"mute": ["virt"], "cannot": ["http"]}, (True, None, None), False),
        ("virt:nvme", {"fails": ["virt:nvme"]}, (False, None, None), False),
        ("virt:igb", {"mute": ["virt:igb"]}, (True, False, None), False),
        ("virt:i6300esb", {}, (True, True, True), True),
        ("virt:i6300esb", {"bites": True}, (True, True, False), False),
        ("virt:i6300esb", {"line": "disabling hardware watchdog"}, (True, True, False), False),
        ("virt:i6300esb", {"cannot": ["console"]}, (True, True, None), True),
    ],
)
def test_what_was_asked_for_and_does_not_work_is_a_failure_and_all_else_a_fact(
    board: str, given: dict[str, Any], seen: tuple[bool | None, ...], works: bool
) -> None:
    parts = board.partition(":")[2]
    asked = rows(PlayedLab("virt", **given), parts or "virtio-net")[board]
    assert (asked.boots, asked.network, asked.feeds) == seen
    assert asked.is_failure is not works
    assert asked.as_json()["failure"] is not works
    one_of_all = rows(PlayedLab("virt", **given))[board]
    assert replace(one_of_all, asked=asked.asked, seconds=asked.seconds) == asked
    assert one_of_all.is_failure is (not works and board == "virt")


def test_what_the_kernel_lacks_stands_in_the_row() -> None:
    row = rows(PlayedLab("virt", mute=["virt:rtl8139"]), "rtl8139")["virt:rtl8139"]
    assert row.line.endswith("  the kernel has no driver 8139cp for rtl8139; nobody answered")
    told = replace(row, why=f"no address: {row.lacks}")
    assert told.line.endswith("  no address: the kernel has no driver 8139cp for rtl8139")


def test_parts_that_no_board_can_have_are_an_error_before_anything_starts() -> None:
    lab = PlayedLab("virt", "pc-bios")
    with pytest.raises(OptionError, match="virt cannot have emmc"):
        rows(lab, "nvme", "emmc")
    assert lab.booted == []


def test_a_board_that_this_host_cannot_play_is_passed_over() -> None:
    lab = PlayedLab("virt", skipped={"virt": "QEMU is too old"})
    assert rows(lab, "virtio-net")["virt"].line.endswith("cannot: QEMU is too old")
    assert lab.booted == []


def test_a_part_that_an_option_contradicts_is_not_tried() -> None:
    lab = PlayedLab("virt", settings=Settings(cpus=4))
    assert "--gk-cpus says 4" in rows(lab, "8cpus")["virt:8cpus"].why
    assert lab.booted == ["virt"]


def test_what_is_not_the_appliance_s_fault_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = PlayedLab("virt")

    def broken(_: Any) -> Any:
        raise QemuFailed("no room")

    monkeypatch.setattr(lab, "appliance", broken)
    with pytest.raises(QemuFailed):
        rows(lab, "nvme")
