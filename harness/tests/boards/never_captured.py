"""A board that QEMU cannot capture; the project's own ones all can be."""

from __future__ import annotations

from dataclasses import replace

from harness.boards import Board, board
from harness.boards.workarounds import Workaround

SAVED_BY_NOBODY = Workaround(
    does="every start is a cold one", reason="a device has no state", price="time", qemu="10.0"
)


def never_captured(name: str) -> Board:
    """The board of this name, as if one of its devices could not be captured."""
    one = board(name)
    return replace(one, workarounds=replace(one.workarounds, never_captured=SAVED_BY_NOBODY))
