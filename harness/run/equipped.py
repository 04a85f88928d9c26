"""Whether the boards of a run can have what its machines are to be, and QEMU the arguments of the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.boards import Board
from harness.errors import OptionError
from harness.options import Settings

if TYPE_CHECKING:
    from harness.lab.lab import Lab

EMPTY = 64 << 20
"""Bytes of a disk that even a card's slot takes."""


def equipped(found: tuple[Board, ...], settings: Settings) -> tuple[Board, ...]:
    """The boards, unless none of them takes what its machines are to have; raises OptionError.

    Where some take it, the others keep what they have: the report says so of each.
    """
    if settings.changes_machines and found:
        refused = {board.name: settings.equipment.refused_by(board) for board in found}
        if all(refused.values()):
            first = found[0]
            raise OptionError(
                f"{first.name} cannot have {', '.join(refused[first.name])}: it has {first.fixed}",
                where=", ".join(refused),
                hint="leave out --gk-memory, --gk-cpus and --gk-disk, or name a board that can: raspi-virt",
            )
    return found


def try_arguments(lab: Lab, board: Board) -> None:
    """Start a machine of this board that runs nothing, and end it; raises OptionError with QEMU's words.

    So what QEMU refuses is one error before all tests.
    """
    from harness.machine.machine import Machine
    from harness.machine.overlay import Overlay
    from harness.machine.spec import Spec

    folder = lab.run_dir.folder("trial", bulky=True)
    spec = Spec(board, lab.qemu(board), lab.accelerator(board), lab.settings.equipment)
    disk = Overlay.empty(folder, EMPTY, name="disk.qcow2", beside=spec.equipment.make_disks(folder))
    machine = Machine(spec, disk, lab.run_dir)
    machine.start_paused()
    machine.stop()
    disk.remove()
