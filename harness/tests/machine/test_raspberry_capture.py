"""What QEMU's Raspberry Pi boards leave out of their state, with a real QEMU that runs no guest."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.boards import board
from harness.errors import QemuFailed
from harness.firmware.bios import BiosStage
from harness.firmware.stage import Loaded
from harness.machine.accelerator import TCG
from harness.machine.capture import RAM, Capture, load, save
from harness.machine.command import Ram
from harness.machine.machine import Machine
from harness.machine.overlay import Overlay
from harness.machine.run_dir import RunDir

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-aarch64") is None, reason="QEMU is not installed")


def make(run_dir: RunDir, overlay: Overlay, name: str, **given: Any) -> Machine:
    return Machine(
        board(name),
        overlay,
        run_dir=run_dir,
        accelerator=TCG,
        loaded=Loaded(),
        on_console=lambda console: console.close(),
        **given,
    )


@pytest.fixture
def card(tmp_path: Path, run_dir: RunDir) -> Overlay:
    image = tmp_path / "card.img"
    image.write_bytes(bytes(1 << 20))
    return Overlay.create(image, run_dir.folder("disk", bulky=True))


def controller_of_the_card(machine: Machine) -> str:
    before = machine.hmp("info qtree").partition("dev: sd-card")[0]
    return str(re.findall(r"^  dev: (\S+),", before, re.MULTILINE)[-1])


def usb(machine: Machine) -> str:
    return machine.hmp("info usb")


def captured(run_dir: RunDir, card: Overlay, name: str) -> Capture:
    folder = run_dir.folder("capture", bulky=True)
    machine = make(run_dir, card, name, ram=Ram(folder / RAM, shared=True))
    machine.start()
    assert "Network" not in usb(machine)
    return save(machine, BiosStage(), folder)


@pytest.mark.parametrize(
    ("name", "controller"), [("raspi3b", "bcm2835-sdhost"), ("raspi4b", "generic-sdhci")], ids=["pi3", "pi4"]
)
def test_a_copy_has_its_card_where_linux_left_it_and_is_plugged_in_once_it_runs(
    run_dir: RunDir, card: Overlay, name: str, controller: str
) -> None:
    capture = captured(run_dir, card, name)
    copy = make(run_dir, capture.overlay(run_dir.folder("disk", bulky=True)), name, ram=capture.ram)
    load(copy, capture)
    assert controller_of_the_card(copy) == controller
    copy.resume()
    assert "Network" not in usb(copy)
    copy.plug_in()
    assert "Network" in usb(copy)
    copy.stop()


@pytest.mark.parametrize("name", ["raspi3b", "raspi4b"])
def test_a_machine_with_its_network_plugged_in_cannot_be_captured(
    run_dir: RunDir, card: Overlay, name: str
) -> None:
    machine = make(run_dir, card, name)
    machine.start()
    machine.plug_in()
    assert "Network" in usb(machine)
    with pytest.raises(QemuFailed) as caught:
        save(machine, BiosStage(), run_dir.folder("capture", bulky=True))
    assert "usb-net" in caught.value.evidence
    machine.stop()
