"""The machines an appliance can be put in, one module a board, as data."""

from __future__ import annotations

import importlib
from typing import cast

from harness.boards.board import Board, Boot, Budget
from harness.boards.hardware import HARDWARE
from harness.errors import OptionError

NAMES = ("pc-bios", "pc-uefi", "virt-uefi", "virt", "raspi-virt", "raspi3b", "raspi4b")
DEFAULT = ("pc-bios", "pc-uefi", "virt")
RASPBERRY = ("raspi-virt", "raspi3b", "raspi4b")
"""What an image with the Raspberry Pi's firmware runs on by default, in place of ``virt``."""

__all__ = [
    "DEFAULT",
    "NAMES",
    "RASPBERRY",
    "Board",
    "Boot",
    "Budget",
    "board",
    "boards",
    "hardware_table",
    "table",
]


def board(name: str) -> Board:
    """Return the board of this name; raises OptionError for a name that is none."""
    if name not in NAMES:
        raise OptionError(f"there is no board {name!r}", hint=f"choose from: {', '.join(NAMES)}")
    return cast(Board, importlib.import_module(f"{__name__}.{name.replace('-', '_')}").BOARD)


def boards(names: tuple[str, ...] = NAMES) -> tuple[Board, ...]:
    """Return the boards of these names, in this order."""
    return tuple(board(name) for name in names)


def table() -> str:
    """What each board proves, what it cannot and which hardware it has, as the Markdown table of the README."""
    lines = ["| board | proves | cannot | has, of [hardware](docs/hardware.md) |", "| --- | --- | --- | --- |"]
    for one in boards():
        asked = "for images with a Raspberry Pi's firmware" if one.name in RASPBERRY else "not in the default set"
        name = f"`{one.name}`{'' if one.name in DEFAULT else f' ({asked})'}"
        lines.append(
            f"| {name}: {one.title} | {'; '.join(one.proves)} | {'; '.join(one.cannot)} "
            f"| {', '.join(one.has) or 'none'} |"
        )
    return "\n".join(lines)


def hardware_table() -> str:
    """Which boards have which hardware, as the Markdown table of docs/hardware.md."""
    lines = [
        "| hardware | boards that have it | a program says that it is not there, for instance |",
        "| --- | --- | --- |",
    ]
    for one in HARDWARE:
        having = ", ".join(f"`{board.name}`" for board in boards() if one.name in board.has)
        lines.append(f"| {one.name} | {having or 'none'} | `{one.example}` |")
    return "\n".join(lines)
