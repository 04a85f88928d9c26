"""Qemus: the QEMU that plays each board on this host, asked once a run."""

from __future__ import annotations

from harness.boards import Board
from harness.errors import ToolMissing
from harness.machine.qemu import QemuProgram, find_qemu


class Qemus:
    """The programs of a run."""

    def __init__(self) -> None:
        self._found: dict[str, QemuProgram] = {}
        self.too_old: dict[str, str] = {}
        """Why this host cannot play a board, by the boards that ``fits`` was asked for."""

    def of(self, board: Board) -> QemuProgram:
        """The QEMU that plays this board; raises ToolMissing."""
        if board.name not in self._found:
            self._found[board.name] = find_qemu(board)
        return self._found[board.name]

    def fits(self, board: Board) -> bool:
        """Whether this host's QEMU is new enough for the board; raises ToolMissing where there is none."""
        try:
            self.of(board)
        except ToolMissing as error:
            if "too old" not in error.what:
                raise
            self.too_old[board.name] = f"this host's QEMU is too old for {board.name}: {error.what}"
        return board.name not in self.too_old
