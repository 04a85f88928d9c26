"""The machines an appliance can be put in, one module a board, as data.

A board is a module of this folder that has a ``BOARD``: it is found, and listed nowhere. With other parts it is
another board: ``pc-bios:nvme+igb``.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from harness.boards.board import Board, Boot, Budget, Default
from harness.boards.hardware import HARDWARE
from harness.boards.variants import AND, OF, parse, variant
from harness.errors import InternalError, OptionError

__all__ = [
    "DEVICE",
    "Board",
    "Boot",
    "Budget",
    "Default",
    "board",
    "boards",
    "hardware_table",
    "names",
    "table",
    "workarounds_table",
]


DEVICE = "device"
"""The name of what stands for a real device where a board is asked for; no machine is called so."""


@cache
def _found() -> dict[str, Board]:
    """The boards of this folder by their names, in the order that their own data give."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    every = sorted((module.BOARD for module in modules if hasattr(module, "BOARD")), key=lambda one: one.order)
    by_name: dict[str, Board] = {one.name: one for one in every}
    if len(by_name) < len(every):
        raise InternalError(f"two boards have the same name: {', '.join(one.name for one in every)}")
    return by_name


def names(default: Default | None = None) -> tuple[str, ...]:
    """The names of all boards without other parts, or of those only that a run takes by default in that case."""
    return tuple(one.name for one in _found().values() if default in (None, one.default))


@cache
def board(name: str) -> Board:
    """Return the board of this name; raises OptionError for none, and for parts that it cannot have.

    The order of parts does not matter: ``pc-bios:igb+nvme`` is called ``pc-bios:nvme+igb``.
    """
    base, of, parts = name.partition(OF)
    if base not in _found():
        raise OptionError(f"there is no board {base!r}", hint=f"choose from: {', '.join(names())}")
    return variant(_found()[base], parse(parts)) if of else _found()[base]


def with_parts(one: Board, parts: str) -> Board:
    """Return the board with these parts beside those that it has; raises OptionError."""
    return board(f"{one.base}{OF}{AND.join(filter(None, (one.parts, parts)))}")


def boards(wanted: tuple[str, ...] | None = None) -> tuple[Board, ...]:
    """Return the boards of these names, in this order; without names all of them."""
    return tuple(board(name) for name in (names() if wanted is None else wanted))


def table(wanted: tuple[str, ...] | None = None) -> str:
    """What each board proves, what it cannot and which hardware it has, as the Markdown table of the README."""
    lines = ["| board | proves | cannot | has, of [hardware](docs/hardware.md) |", "| --- | --- | --- | --- |"]
    for one in boards(wanted):
        when = f" ({one.default.value})" if one.default.value else ""
        lines.append(
            f"| `{one.name}`{when}: {one.title} | {'; '.join(one.proves)} | {'; '.join(one.cannot)} "
            f"| {', '.join(one.has) or 'none'} |"
        )
    return "\n".join(lines)


def hardware_table(wanted: tuple[str, ...] | None = None) -> str:
    """Which boards have which hardware, as the Markdown table of docs/hardware.md."""
    lines = [
        "| hardware | boards that have it | a program says that it is not there, for instance |",
        "| --- | --- | --- |",
    ]
    for one in HARDWARE:
        having = ", ".join(f"`{board.name}`" for board in boards(wanted) if one.name in board.has)
        lines.append(f"| {one.name} | {having or 'none'} | `{one.example}` |")
    return "\n".join(lines)


def workarounds_table(wanted: tuple[str, ...] | None = None) -> str:
    """What the harness does differently because of QEMU, as the Markdown table of docs/workarounds.md."""
    needing: dict[str, list[str]] = {}
    rows = {row.does: row for one in boards(wanted) for row in one.workarounds}
    for one in boards(wanted):
        for row in one.workarounds:
            needing.setdefault(row.does, []).append(f"`{one.name}`")
    lines = ["| what is done | boards | reason | price | QEMU |", "| --- | --- | --- | --- | --- |"]
    for does, row in rows.items():
        lines.append(f"| {does} | {', '.join(needing[does])} | {row.reason} | {row.price} | {row.qemu} |")
    return "\n".join(lines)
