"""Each instance on each board that can start it: from another folder, by a relative path."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from harness.tests.others.cells import CELLS, EVERY_CHANGE, Cell
from harness.tests.others.conftest import Judge
from harness.tests.others.run import check

WANTED = os.environ.get("GK_BOARDS", "").split()


def run(cell: Cell, workshop: Path, judge: Judge) -> None:
    folder = workshop / "elsewhere" / cell.name
    folder.mkdir(parents=True)
    only = ("--", "-k", cell.only) if cell.only else ()
    subject = f"../../images/others/{cell.instance}"
    options = ("--board", cell.board, *cell.options, *only)
    result = check([sys.executable, "-m", "harness"], subject, options, folder)
    judge(cell.name, result, cell.expected)


@pytest.mark.parametrize("cell", EVERY_CHANGE, ids=lambda cell: cell.name)
def test_it_boots_for_a_stranger(cell: Cell, workshop: Path, judge: Judge) -> None:
    run(cell, workshop, judge)


@pytest.mark.gk_tier("nightly")
@pytest.mark.parametrize(
    "cell", [cell for cell in CELLS if not WANTED or cell.board in WANTED], ids=lambda cell: cell.name
)
def test_all_scenarios_for_a_stranger(cell: Cell, workshop: Path, judge: Judge) -> None:
    run(cell, workshop, judge)
