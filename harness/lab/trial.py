"""A trial of the user's own arguments for QEMU: what QEMU refuses is one error before all tests."""

from __future__ import annotations

from harness.boards import Board
from harness.lab.starts import Starts
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.machine import Machine
from harness.machine.spec import Spec

EMPTY = 64 << 20
"""Bytes of a disk that even a card's slot takes."""


def try_arguments(starts: Starts, board: Board) -> None:
    """Start a machine of this board that runs nothing, and end it; raises OptionError with QEMU's words."""
    folder = starts.folders.folder("trial", bulky=True)
    spec = Spec(
        board=board,
        qemu=starts.qemus.of(board),
        accelerator=starts.accelerators.of(board),
        equipment=starts.settings.equipment,
    )
    disk = DiskOverlay.empty(folder, EMPTY, name="disk.qcow2", beside=spec.equipment.make_disks(folder))
    machine = Machine(spec, disk, starts.folders.run_dir)
    machine.start_paused()
    machine.stop()
    disk.remove()
