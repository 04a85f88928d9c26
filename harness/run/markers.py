"""The markers: registered and read here, and nowhere else; each stands with the field that it fills."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from harness import boards
from harness.appliance.wanted import Wanted, closest, each, marker, markers_of, together
from harness.boards.variants import is_with_more

if TYPE_CHECKING:
    from harness.boards import Board


@dataclass(frozen=True)
class Place:
    """When a test runs, and on which boards."""

    tier: str = field(
        default="ci",
        metadata=marker(
            "gk_tier", "when this test runs: 'ci' (default) or 'nightly'", arguments="(name)", read=closest
        ),
    )
    boards: tuple[frozenset[str], ...] = field(
        default=(),
        metadata=marker(
            "gk_board",
            "run on these boards only, whichever further parts they have (docs/parts.md)",
            arguments="(*names)",
            read=each,
        ),
    )
    """What each of its marks names: it runs on the boards that all of them name."""
    any_firmware: bool = field(
        default=False,
        metadata=marker(
            "gk_any_firmware",
            "independent of the firmware: in the tier 'ci', one board of those that run the same image with the "
            "same parts is enough",
        ),
    )
    uploads: bool = field(
        default=False,
        metadata=marker("gk_uploads", "sends whole images: deselected on boards whose network is slow"),
    )

    shows: tuple[str, ...] = field(
        default=(),
        metadata=marker(
            "gk_shows",
            "which sentences about gokrazy it shows, in words of one's own (docs/promises.md)",
            arguments="(*sentences)",
            read=together,
        ),
    )

    def allows(self, board: Board) -> bool:
        """Whether its marks let it run on this board."""

        def is_one(name: str) -> bool:
            return board.name == name or (
                boards.DEVICE not in (name, board.name) and is_with_more(board, boards.board(name))
            )

        return all(any(map(is_one, names)) for names in self.boards)


LINES = tuple(one.line for record in (Place, Wanted) for one in markers_of(record).values())
"""As pytest registers them: name, arguments, help."""


def place_of(item: pytest.Item) -> Place:
    """When a test runs, and on which boards."""
    return Place(**_read(Place, item))


def wanted_of(item: pytest.Item, board: Board, *, running: bool) -> Wanted:
    """What a test asks of its appliance on this board."""
    return Wanted(board, item.nodeid, running, **_read(Wanted, item))


def family_of(item: pytest.Item) -> str:
    """Which image a test needs."""
    return str(_read(Wanted, item).get("family", Wanted.family))


def second_family_of(item: pytest.Item) -> str:
    """Which image the second appliance of a test is marked to run, that of the first where none is named."""
    return str(_read(Wanted, item).get("second", "")) or family_of(item)


def _read(record: type[Any], item: pytest.Item) -> dict[str, Any]:
    """The fields that the marks of a test fill."""
    found: dict[str, Any] = {}
    for name, one in markers_of(record).items():
        marks = [mark.args for mark in item.iter_markers(one.name)]
        if marks:
            found[name] = one.read(marks)
    return found
