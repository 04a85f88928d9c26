"""What hangs on a machine: real QEMUs that stand still before their first instruction."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.boards import board, names
from harness.errors import OptionError, QemuFailed
from harness.machine.agent_channel import NAME, Channel
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.equipment import Equipment
from harness.machine.joins import CaptureJoined, Joined, Joins, SegmentJoined
from harness.machine.machine import Machine
from harness.machine.ports import Port
from harness.machine.run_dir import RunDir
from harness.segment.addresses import POOL
from harness.segment.log_server import LogServer
from harness.segment.packets import Packets
from harness.segment.time_server import TimeServer
from harness.tests.machine.specs import machine_of

BOARD = "pc-bios"
LIMIT = 10.0


@pytest.fixture
def machine(run_dir: RunDir, request: pytest.FixtureRequest) -> Iterator[Machine]:
    name = getattr(request, "param", BOARD)
    if shutil.which(board(name).qemu) is None:
        pytest.skip(f"{board(name).qemu} is not installed")
    overlay = DiskOverlay.empty(run_dir.folder("disk", bulky=True), 64 << 20, name="disk.qcow2")
    consoles: list[socket.socket] = []
    udp = Equipment(forwards=(Port(80), Port(53, "udp")))
    made = machine_of(name, overlay, run_dir, equipment=udp, on_console=consoles.append)
    made.start_paused()
    yield made
    made.stop()
    consoles[0].close()


def filters(machine: Machine) -> list[str]:
    """The names of the filters, in QEMU's order."""
    return re.findall(r"^ *- (\S+): type=filter", machine.hmp("info network"), re.MULTILINE)


def time_server() -> SegmentJoined:
    return SegmentJoined(TimeServer().segment((POOL,)))


@pytest.mark.parametrize("machine", names(), indirect=True)
def test_every_board_takes_all_of_it_and_is_as_before_afterwards(machine: Machine) -> None:
    before = filters(machine)
    joins = Joins(is_recorded=False)
    joins.attach(machine)
    packets = Packets()
    with (
        joins.joined(CaptureJoined(packets)),
        joins.joined(time_server()),
        joins.joined(SegmentJoined(LogServer().segment())),
    ):
        there = filters(machine)
        assert len(there) == len(before) + 5
        # Next to QEMU's network come the neighbours, so that a capture which began before sees them.
        assert re.fullmatch(r"(segment\d+-(from|to)-guest ){4}.*capture\d+", " ".join(there)), there
    assert filters(machine) == before
    assert "segment" not in str(machine.execute("query-chardev"))
    assert not [path for path in machine.overlay.path.parent.iterdir() if "capture" in path.name]
    assert len(packets) == 0


def test_what_joined_before_is_attached_to_each_machine(machine: Machine) -> None:
    joins = Joins(is_recorded=False)
    with joins.joined(time_server()):
        assert filters(machine) == [name for name in filters(machine) if "segment" not in name]
        joins.attach(machine)
        assert [name for name in filters(machine) if "segment" in name]


def test_a_machine_that_has_ended_is_left_without_a_word(machine: Machine) -> None:
    joins = Joins(is_recorded=False)
    joins.attach(machine)
    with joins.joined(time_server()), joins.joined(CaptureJoined(Packets())):
        os.kill(machine.pid, signal.SIGKILL)
        assert machine.wait_exit(LIMIT) is not None


def test_what_joins_after_the_end_of_a_machine_waits_for_the_next(machine: Machine) -> None:
    joins = Joins(is_recorded=False)
    joins.attach(machine)
    machine.stop()
    with joins.joined(time_server()), joins.joined(CaptureJoined(Packets())):
        pass


def ports(machine: Machine) -> list[str]:
    """The names of the channels that a guest agent could open."""
    return re.findall(r'name = "([^"]+)"', machine.hmp("info qtree"))


def test_the_channel_of_an_agent_is_plugged_in_and_is_in_no_state(run_dir: RunDir) -> None:
    if shutil.which(board(BOARD).qemu) is None:
        pytest.skip(f"{board(BOARD).qemu} is not installed")
    overlay = DiskOverlay.empty(run_dir.folder("disk", bulky=True), 64 << 20, name="disk.qcow2")
    consoles: list[socket.socket] = []
    machine = machine_of(BOARD, overlay, run_dir, equipment=Equipment(agent=True), on_console=consoles.append)
    machine.start_paused()
    joins = Joins(is_recorded=False)
    joins.attach(machine)
    channel = Channel()
    with joins.joined(channel):
        assert ports(machine) == [NAME]
        assert "no program of the device has opened" in channel.heard_by
        with joins.out_of_state():
            assert ports(machine) == []
            assert channel.heard_by == "the machine is off"
        assert ports(machine) == [NAME]
    assert ports(machine) == []
    wires = [one for one in machine.execute("query-chardev") if one["label"].startswith("agent")]
    assert all(one["filename"].startswith("disconnected") for one in wires)
    machine.stop()
    consoles[0].close()


class Refusing:
    """A machine that takes everything until one command."""

    def __init__(self, refused: str, folder: Path) -> None:
        self.refused = refused
        self.asked: list[str] = []
        self.ended = None
        self.overlay = SimpleNamespace(path=folder / "disk.qcow2")

    def execute(self, name: str, arguments: dict[str, Any], **_: Any) -> None:
        self.asked.append(f"{name} {arguments.get('id', arguments.get('fdname'))}")
        if name == self.refused:
            raise QemuFailed("no")


@pytest.mark.parametrize("refused", ["getfd", "chardev-add", "object-add"])
@pytest.mark.parametrize("capture", [False, True])
def test_what_cannot_be_attached_leaves_nothing(refused: str, capture: bool, tmp_path: Path) -> None:
    machine = Refusing(refused, tmp_path)
    joins = Joins(is_recorded=False)
    joins.attach(cast(Machine, machine))
    one: Joined = CaptureJoined(Packets()) if capture else time_server()
    if capture and refused != "object-add":
        return
    with pytest.raises(QemuFailed), joins.joined(one):
        pytest.fail("it was not attached")
    assert machine.asked[-1].startswith(("chardev-remove", "object-del"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("refused", ["getfd", "chardev-add", "device_add"])
def test_a_channel_that_cannot_be_plugged_in_leaves_nothing(refused: str, tmp_path: Path) -> None:
    machine = Refusing(refused, tmp_path)
    joins = Joins(is_recorded=False)
    joins.attach(cast(Machine, machine))
    channel = Channel()
    with pytest.raises(QemuFailed), joins.joined(channel):
        pytest.fail("it was not attached")
    assert machine.asked[-1].startswith("chardev-remove")
    assert channel.heard_by == "the machine is off"


def test_a_channel_without_a_machine_is_waited_for_and_not_asked_all_the_time() -> None:
    began = time.monotonic()
    assert Channel().receive(0.3) == b""
    assert time.monotonic() - began >= 0.25


def test_an_appliance_that_is_recorded_has_none() -> None:
    joins = Joins(is_recorded=True)
    with (
        pytest.raises(OptionError, match="recorded has no capture") as caught,
        joins.joined(CaptureJoined(Packets())),
    ):
        pytest.fail("it joined")
    assert "--gk-record" in caught.value.hint
