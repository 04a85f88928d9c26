"""The images that are broken, and the table at the end: what was broken, and what a developer read then."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from harness.boards import board, boards
from harness.image.model import Image
from harness.lab.lab import Lab
from harness.options import Settings
from harness.tests.verdict.run import Bench

ROW = "verdict_row"
TABLE = "GK_VERDICT_TABLE"
"""The variable that names a file for the table, in Markdown."""
COLUMNS = ("broken", "red test", "kind", "first line", "to do", "seconds", "verdict")


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The project's own images, built where they are not kept yet."""
    folder = tmp_path_factory.mktemp("verdict")
    with Lab(Settings(boards=tuple(one.name for one in boards()), artifacts=folder)) as lab:

        @cache
        def healthy(name: str) -> Image:
            return lab.images.image(board(name), "hello")

        def foreign(name: str) -> Image:
            return healthy("pc-bios" if board(name).arch != "amd64" else "virt")

        yield Bench(folder, healthy, foreign)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A row for each way, in the order of the table, and a closing verdict."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    rows = [json.loads(value) for report in reports for name, value in report.user_properties if name == ROW]
    if not rows:
        return
    terminalreporter.section("verdict")
    rows.sort(key=lambda row: row["number"])
    wrong = sum(row["verdict"] != "right" for row in rows)
    closing = f"verdict: {len(rows)} ways to break an appliance, {wrong} of them with a wrong verdict"
    for row in rows:
        terminalreporter.write_line(f"{row['verdict']:6} {row['broken']} ({row['seconds']} s)")
        terminalreporter.write_line(f"       {row['red test'] or 'refused'}: {row['kind']}: {row['first line']}")
        terminalreporter.write_line(f"       to do: {row['to do'] or 'NOTHING IS SAID'}")
    terminalreporter.write_line(closing)
    if path := os.environ.get(TABLE):
        lines = [
            _line(COLUMNS),
            _line(["---"] * len(COLUMNS)),
            *(_line([str(row[c]) for c in COLUMNS]) for row in rows),
        ]
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("\n".join([*lines, "", closing, ""]), encoding="utf-8")


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
