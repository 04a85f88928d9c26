"""A board that QEMU cannot take a snapshot of; of the project's own ones it can."""

from __future__ import annotations

from dataclasses import replace

from harness.boards import Board, board
from harness.boards.workarounds import Workaround

SAVED_BY_NOBODY = Workaround(
    does="every start is a cold one", reason="a device has no state", price="time", qemu="10.0"
)


def no_snapshots(name: str) -> Board:
    """The board of this name, as if QEMU could not take a snapshot of one of its devices."""
    one = board(name)
    return replace(one, workarounds=replace(one.workarounds, no_snapshots=SAVED_BY_NOBODY))
