"""With a real QEMU and a guest of one sector: what SeaBIOS starts from, and what a snapshot contains."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from harness.boards import board, variants
from harness.boards.parts import PARTS, Kind, Part
from harness.errors import QemuFailed
from harness.firmware.bios import BiosStage
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.equipment import Equipment
from harness.machine.launch import Ram
from harness.machine.machine import Machine
from harness.machine.run_dir import RunDir
from harness.machine.snapshot import RAM, restore, save, take
from harness.tests.machine.guests import IDLES, boot_sector, wait_for_r
from harness.tests.machine.specs import machine_of

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")

SMALL = Equipment(memory=64)
"""Also for the part of 5 GiB: this guest asks for little."""
PC = [part for part in PARTS if not variants.refusal(board("pc-bios"), (part,))]


def started(part: Part, run_dir: RunDir, tmp_path: Path, **given: Any) -> Machine:
    """A PC with this part, whose guest has said its R."""
    image = tmp_path / "golden.img"
    image.write_bytes(boot_sector(IDLES).ljust(1 << 20, b"\0"))
    overlay = DiskOverlay.create(image, run_dir.folder("disk", bulky=True))
    consoles: list[socket.socket] = []
    one = board(f"pc-bios:{part.name}")
    machine = machine_of(one, overlay, run_dir, equipment=SMALL, on_console=consoles.append, **given)
    machine.start()
    with consoles[0] as console:
        wait_for_r(console)
    return machine


@pytest.mark.parametrize("part", [one for one in PC if not one.unsaved], ids=lambda one: one.name)
def test_seabios_starts_the_guest_and_a_snapshot_of_it_goes_on(
    part: Part, run_dir: RunDir, tmp_path: Path
) -> None:
    folder = run_dir.folder("snapshot", bulky=True)
    machine = started(part, run_dir, tmp_path, ram=Ram(folder / RAM, shared=True))
    snapshot = take(machine, BiosStage(), folder)
    disk = snapshot.overlay(run_dir.folder("copy", bulky=True))
    copy = machine_of(machine.board, disk, run_dir, equipment=SMALL, ram=snapshot.ram)
    restore(copy, snapshot)
    copy.resume()
    assert copy.execute("query-status")["running"]
    copy.stop()


@pytest.mark.parametrize("part", [one for one in PC if one.unsaved], ids=lambda one: one.name)
def test_qemu_itself_names_the_part_that_no_snapshot_contains(part: Part, run_dir: RunDir, tmp_path: Path) -> None:
    machine = started(part, run_dir, tmp_path)
    assert not machine.board.can_snapshot
    machine.pause()
    device = (part.disk if part.kind is Kind.DISK else part.nic).split(",")[0]
    with pytest.raises(QemuFailed, match=f"blocked by non-migratable device '[^']*/{device}'"):
        save(machine, tmp_path / "state", memory=True)
    machine.stop()
