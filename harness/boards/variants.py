"""Variants: a board with parts in place of its own, which is called ``pc-bios:nvme+igb`` everywhere."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import replace

from harness.boards.board import Board
from harness.boards.hardware import DISPLAY
from harness.boards.parts import NAMES, PARTS, Kind, Part
from harness.boards.workarounds import Workaround
from harness.errors import OptionError
from harness.image.model import Image

OF = ":"
"""Between a board and its parts."""
AND = "+"
"""Between two parts."""
LINK_RACE = Workaround(
    does="answers to the guest come up to 3 s late until it has an address",
    reason="within a second of the link gokrazy's DHCP client sets the priority of its routes anew; QEMU's lease "
    "comes in that moment, and then it deletes all its routes (cmd/dhcp: changeRoutePriority twice at once)",
    price="up to 6 s of every boot",
    qemu="10.0",
)
_WAITS = re.compile(r"\b(?:rootwait|rootdelay)\b")


def parse(text: str) -> tuple[Part, ...]:
    """The parts of a text such as ``igb+nvme``, in the order of the table; raises OptionError."""
    words = [word.strip() for word in text.split(AND)]
    for word in words:
        if word not in NAMES:
            raise OptionError(f"there is no part {word!r}", where=text, hint=f"choose from: {', '.join(NAMES)}")
    found = sorted((PARTS[NAMES.index(word)] for word in words), key=PARTS.index)
    for one, two in itertools.pairwise(found):
        if one is two:
            raise OptionError(f"{one.name} is named twice", where=text, hint="name each part once")
        if one.kind is two.kind:
            others = ", ".join(part.name for part in PARTS if part.kind is one.kind)
            raise OptionError(
                f"{one.name} and {two.name} are two of a kind ({one.kind.value})",
                where=text,
                hint=f"name one of {others}",
            )
    return tuple(found)


def joined(parts: Iterable[Part]) -> str:
    """The parts as they are typed."""
    return AND.join(part.name for part in parts)


def parts_of(board: Board) -> tuple[Part, ...]:
    """The parts that this board has in place of its own."""
    return parse(board.parts) if board.parts else ()


def is_with_more(board: Board, named: Board) -> bool:
    """Whether the board is the named one, perhaps with further parts."""
    return board.base == named.base and set(parts_of(named)) <= set(parts_of(board))


def lacking(board: Board, image: Image, *kinds: Kind) -> str:
    """What the image lacks for the board's parts, of these kinds, in words; "" where nothing says that it does.

    A kernel that does not say which drivers it has is not said to lack one.
    """
    found = []
    for part in parts_of(board):
        if kinds and part.kind not in kinds:
            continue
        if missing := part.missing(image.kernel):
            found.append(f"the kernel has no driver {' and no '.join(missing)} for {part.name}")
        elif part.is_late and not _WAITS.search(image.cmdline):
            found.append(
                f"the kernel is told to wait for no disk (rootwait, rootdelay), and it finds {part.name} late"
            )
    return "; ".join(found)


def needs_kvm(board: Board) -> str:
    """Why the board's parts take KVM, in words; "" where TCG plays them as well."""
    parts = (part for part in parts_of(board) if part.needs_kvm)
    return next((f"{board.base} can have {part.name} with KVM only: {part.needs_kvm}" for part in parts), "")


def refusal(board: Board, parts: Iterable[Part]) -> str:
    """Why the board cannot have these parts, "" when it can: what QEMU or a firmware cannot, never a kernel."""
    parts = tuple(parts)
    if board.fixed:
        return f"{board.name} has the hardware of its machine: {board.fixed}"
    for part in parts:
        for row in part.refused:
            if row.holds(board):
                return f"{board.name} cannot have {part.name}: {row.reason}"
    for machine in parts:
        for part in parts:
            if part.is_pci and not machine.has_pci:
                return f"{board.name} cannot have {part.name}: {machine.name} has no PCI bus"
    return ""


def variant(board: Board, parts: tuple[Part, ...]) -> Board:
    """The board with these parts in place of its own; raises OptionError where it cannot have them."""
    if reason := refusal(board, parts):
        able = [one.name for one in PARTS if not refusal(board, (one,))]
        raise OptionError(
            reason,
            where=f"{board.base}{OF}{joined(parts)}",
            hint=f"parts of {board.base}: {', '.join(able)}" if able else "name a board that takes parts: pc-bios",
        )
    made = board
    for part in parts:
        made = _with(made, part)
    title = f"{board.title}, with {' and '.join(part.title for part in parts)}"
    return replace(made, name=f"{board.base}{OF}{joined(parts)}", title=title, parts=joined(parts))


def _with(board: Board, part: Part) -> Board:
    machine, _, options = board.machine.partition(",")
    workarounds = board.workarounds
    if part.unsaved:
        workarounds = replace(workarounds, no_snapshots=_cold(part))
    if part.has_carrier:
        workarounds = replace(workarounds, late_answers=LINK_RACE)
    made = replace(
        board,
        disk=part.disk or board.disk,
        nic=part.nic or board.nic,
        controllers=tuple(dict.fromkeys((*board.controllers, *part.controllers))),
        devices=tuple(dict.fromkeys((*board.devices, *part.devices))),
        memory=part.memory or board.memory,
        cpus=part.cpus or board.cpus,
        machine=",".join(filter(None, (part.machine or machine, options))),
        bios=part.bios or board.bios,
        has=tuple(dict.fromkeys((*board.has, *part.has))),
        min_qemu=max(part.min_qemu, board.min_qemu),
        workarounds=workarounds,
    )
    return made if part.has_pci else _without_pci(made)


def _without_pci(board: Board) -> Board:
    """The same with its virtio devices at virtio-mmio, and without a display."""
    return replace(
        board,
        disk=_mmio(board.disk),
        further_disk=_mmio(board.further_disk),
        nic=_mmio(board.nic),
        controllers=tuple(map(_mmio, board.controllers)),
        devices=tuple(map(_mmio, board.devices)),
        display=None,
        has=tuple(name for name in board.has if name != DISPLAY),
    )


def _mmio(device: str) -> str:
    name, comma, options = device.partition(",")
    return f"{name.removesuffix('-pci')}-device{comma}{options}" if name.endswith("-pci") else device


def _cold(part: Part) -> Workaround:
    return Workaround(
        does="every start is a cold one",
        reason=f"a snapshot of QEMU's cannot contain {part.unsaved}",
        price="each test waits for a boot, and there are no checkpoints",
        qemu="10.0",
    )
