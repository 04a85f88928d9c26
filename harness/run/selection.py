"""Which tests of a run are run, on which boards, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from harness import boards
from harness.options import Settings
from harness.run import durations, markers, workers
from harness.run.shard import Shard
from harness.run.whose import chooses_boards, is_our_board, needs_appliance

if TYPE_CHECKING:
    from harness.lab.lab import Lab

NO_BOARD = "no-board"
"""Stands for the board of a test that none of the run's boards may run: it is left out, not skipped."""


def give_boards(metafunc: pytest.Metafunc, lab: Callable[[], Lab]) -> None:
    """Run a test that needs a board once on each board that it and the run allow."""
    if chooses_boards(metafunc.definition) or not is_our_board(metafunc.definition):
        return
    place = markers.place_of(metafunc.definition)
    for name in chain(*place.boards):
        if name != boards.DEVICE:
            boards.board(name)
    names = [board.name for board in lab().boards if place.allows(board)]
    metafunc.parametrize("board", names or [NO_BOARD], ids=names or [NO_BOARD], indirect=True, scope="session")


def select(config: pytest.Config, items: list[pytest.Item], settings: Settings, lab: Callable[[], Lab]) -> None:
    """Leave out what belongs to another tier, and the release path when there is nothing to come from."""
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    enough = _one_for_each_image(lab()) if settings.tier == "ci" else None
    for item in items:
        place = markers.place_of(item)
        on_a_board = not needs_appliance(item) or board_of(item) != NO_BOARD
        if needs_appliance(item) and on_a_board and (place.any_firmware or place.uploads):
            board = lab().board(board_of(item))
            is_enough = not place.any_firmware or enough is None or board.name in enough
            on_a_board = is_enough and not (place.uploads and board.slow_upload)
        runs = (
            on_a_board
            and settings.tier in ("all", place.tier)
            and (settings.from_image is not None or markers.family_of(item) != "from")
        )
        (kept if runs else left_out).append(item)
    sharded, worker = settings.shard is not None, workers.is_worker(config)
    known = durations.load(settings.artifacts) if sharded or worker else {}
    if settings.shard is not None:
        mine = Shard(*settings.shard).take([item.nodeid for item in kept], known)
        left_out += [item for item in kept if item.nodeid not in mine]
        kept = [item for item in kept if item.nodeid in mine]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    if worker:
        # A run with several workers ends when the last one does: what takes minutes must not come last.
        kept.sort(key=lambda item: -known.get(item.nodeid, 0.0))
    items[:] = kept


def _one_for_each_image(lab: Lab) -> frozenset[str]:
    """Of the run's boards that run the same image with the same parts the first.

    It is one whose snapshot is complete if there is one.
    """
    first: dict[tuple[str, str], str] = {}
    for board in sorted(lab.boards, key=lambda board: not board.can_checkpoint):
        first.setdefault((lab.images.kind(board), board.parts), board.name)
    return frozenset(first.values())


def board_of(item: pytest.Item) -> str:
    """The name of the board that a test runs on."""
    return str(item.callspec.params["board"]) if isinstance(item, pytest.Function) else NO_BOARD
