"""Whether QEMU starts with arguments of the user's own: tried once, before any test."""

from __future__ import annotations

from harness.boards import Board
from harness.machine.accelerator import Accelerator
from harness.machine.equipment import Equipment
from harness.machine.machine import Machine
from harness.machine.overlay import Overlay
from harness.machine.qemu import QemuProgram
from harness.machine.run_dir import RunDir

EMPTY = 64 << 20
"""Bytes of a disk that even a card's slot takes."""


def try_arguments(
    board: Board, equipment: Equipment, *, run_dir: RunDir, accelerator: Accelerator, qemu: QemuProgram
) -> None:
    """Start a machine that runs nothing, and end it; raises OptionError with QEMU's words when it refuses."""
    folder = run_dir.folder("trial", bulky=True)
    disk = Overlay.empty(folder, EMPTY, name="disk.qcow2")
    disk.beside = tuple(equipment.make_disks(folder))
    machine = Machine(board, disk, run_dir=run_dir, accelerator=accelerator, equipment=equipment, qemu=qemu)
    machine.start_paused()
    machine.stop()
    disk.remove()
