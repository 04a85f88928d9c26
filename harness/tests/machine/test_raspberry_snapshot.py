"""What QEMU's Raspberry Pi boards leave out of their state, with a real QEMU that runs no guest."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.errors import QemuFailed
from harness.firmware.bios import BiosStage
from harness.machine import snapshot as snapshot_module
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.launch import Ram
from harness.machine.machine import Machine
from harness.machine.run_dir import RunDir
from harness.machine.snapshot import RAM, Snapshot, pause_at_rest, restore, take
from harness.tests.machine.specs import NO_QEMU, machine_of, spec_of

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-aarch64") is None, reason="QEMU is not installed")


def make(run_dir: RunDir, overlay: DiskOverlay, name: str, **given: Any) -> Machine:
    return machine_of(name, overlay, run_dir, on_console=lambda console: console.close(), **given)


@pytest.fixture
def card(tmp_path: Path, run_dir: RunDir) -> DiskOverlay:
    image = tmp_path / "card.img"
    image.write_bytes(bytes(1 << 20))
    return DiskOverlay.create(image, run_dir.folder("disk", bulky=True))


def controller_of_the_card(machine: Machine) -> str:
    before = machine.hmp("info qtree").partition("dev: sd-card")[0]
    return str(re.findall(r"^  dev: (\S+),", before, re.MULTILINE)[-1])


def usb(machine: Machine) -> str:
    return machine.hmp("info usb")


def captured(run_dir: RunDir, card: DiskOverlay, name: str) -> Snapshot:
    folder = run_dir.folder("snapshot", bulky=True)
    machine = make(run_dir, card, name, ram=Ram(folder / RAM, shared=True))
    machine.start()
    assert "Network" not in usb(machine)
    return take(machine, BiosStage(), folder)


@pytest.mark.parametrize(
    ("name", "controller"), [("raspi3b", "bcm2835-sdhost"), ("raspi4b", "generic-sdhci")], ids=["pi3", "pi4"]
)
def test_a_copy_has_its_card_where_linux_left_it_and_is_plugged_in_once_it_runs(
    run_dir: RunDir, card: DiskOverlay, name: str, controller: str
) -> None:
    snapshot = captured(run_dir, card, name)
    copy = make(run_dir, snapshot.overlay(run_dir.folder("disk", bulky=True)), name, ram=snapshot.ram)
    restore(copy, snapshot)
    assert controller_of_the_card(copy) == controller
    copy.resume()
    assert "Network" not in usb(copy)
    copy.plug_in()
    assert "Network" in usb(copy)
    copy.stop()


@pytest.mark.parametrize("name", ["raspi3b", "raspi4b"])
def test_a_machine_with_its_network_plugged_in_cannot_be_captured(
    run_dir: RunDir, card: DiskOverlay, name: str
) -> None:
    machine = make(run_dir, card, name)
    machine.start()
    machine.plug_in()
    assert "Network" in usb(machine)
    with pytest.raises(QemuFailed) as caught:
        take(machine, BiosStage(), run_dir.folder("snapshot", bulky=True))
    assert "usb-net" in caught.value.evidence
    machine.stop()


@pytest.mark.parametrize("name", ["raspi3b", "raspi4b"])
def test_a_network_card_that_waits_is_plugged_in_once(run_dir: RunDir, card: DiskOverlay, name: str) -> None:
    machine = make(run_dir, card, name, nic=False)
    machine.start()
    assert "Network" not in usb(machine)
    machine.plug_in()
    machine.plug_in()
    assert usb(machine).count("Network") == 1
    machine.stop()


WAITS = "0000000040000060: 0x00000000 0x00000008 0x00000000 0x00000000\n0000000040000070: 0x00000000\n"
RESTS = WAITS.replace("8 ", "0 ")


class Restless(Machine):
    """A machine that only says which interrupts wait, and notes what is done to it."""

    def __init__(self, name: str, *said: str) -> None:
        self.spec = spec_of(name, qemu=NO_QEMU)
        self._said = list(said)
        self.done: list[str] = []

    def hmp(self, line: str, **limits: float) -> str:
        assert line == "xp /8wx 0x40000060"
        return self._said.pop(0) if len(self._said) > 1 else self._said[0]

    def pause(self) -> None:
        self.done.append("pause")

    def resume(self) -> None:
        self.done.append("resume")

    def wait_exit(self, timeout: float) -> None:
        assert timeout < 1


def test_a_board_that_loses_waiting_interrupts_is_captured_when_none_waits() -> None:
    machine = Restless("raspi3b", WAITS, WAITS, RESTS)
    pause_at_rest(machine)
    assert machine.done == ["pause", "resume", "pause", "resume", "pause"]


def test_a_machine_that_never_rests_is_not_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_module, "REST_LIMIT", 0.0)
    with pytest.raises(QemuFailed, match="an interrupt was pending at every look") as caught:
        pause_at_rest(Restless("raspi3b", WAITS))
    assert "0x00000008" in caught.value.evidence


def test_other_boards_keep_their_interrupts_in_their_state() -> None:
    machine = Restless("raspi4b", WAITS)
    pause_at_rest(machine)
    assert machine.done == ["pause"]
