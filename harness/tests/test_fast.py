"""The developer's loop runs what is quick, and of the slow tests those of what was changed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.run.durations import short
from harness.tests import fast
from harness.tests.sources import git


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tests = tmp_path / "harness" / "tests" / "console"
    tests.mkdir(parents=True)
    (tests / "test_lines.py").write_text("from harness.console import lines\n")
    (tests / "test_waits.py").write_text("import pytest\nfrom harness.console.waits import Waits\n")
    (tests / "test_both.py").write_text(
        "def test_late():\n    import harness.console.waits, harness.console.lines\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "touched"),
    [
        ("harness/console/lines.py", {"test_lines", "test_both"}),
        ("harness/console/waits.py", {"test_waits", "test_both"}),
        ("harness/console/__init__.py", {"test_lines"}),
        ("harness/tests/console/test_waits.py", {"test_waits"}),
        ("harness/console.py", {"test_lines"}),
        ("docs/harness/console/lines.md", set()),
        ("harness/console/line.py", set()),
    ],
)
def test_a_test_touches_what_it_imports(folder: Path, changed: str, touched: set[str]) -> None:
    tests = (folder / "harness" / "tests").rglob("test_*.py")
    assert {one.stem for one in tests if fast.touches(one, [folder / changed], folder)} == touched


@dataclass(frozen=True)
class Item:
    nodeid: str
    path: Path


def test_the_quick_come_first_and_the_slow_that_touch_nothing_are_left_out(folder: Path) -> None:
    tests = folder / "harness" / "tests" / "console"
    names = ("test_waits::slow", "test_lines::slow", "test_waits::middle", "test_lines::it")
    pairs = [name.split("::") for name in names]
    items: Any = [Item(f"console/{file}.py::test_{test}", tests / f"{file}.py") for file, test in pairs]
    slow = {"test_waits.py::test_slow": 30.0, "test_waits.py::test_middle": 2.0, "test_lines.py::test_slow": 40.0}
    runs, left_out = fast.choose(items, [tests / "test_waits.py"], slow, folder)
    assert [short(one.nodeid) for one in runs] == [
        "test_lines.py::test_it",
        "test_waits.py::test_middle",
        "test_waits.py::test_slow",
    ]
    assert [short(one.nodeid) for one in left_out] == ["test_lines.py::test_slow"]


def test_what_was_changed_is_committed_or_not(tmp_path: Path) -> None:
    first, mine = tmp_path / "first", tmp_path / "mine"
    first.mkdir()
    git(first, "init", "-b", "main")
    for name in ("same", "edited", "committed"):
        (first / name).write_text("before\n")
    git(first, "add", ".")
    git(first, "commit", "-m", "first")
    assert fast.changed_files(first) == set()
    git(tmp_path, "clone", "first", "mine")
    (mine / "committed").write_text("after\n")
    git(mine, "commit", "-am", "second")
    (mine / "edited").write_text("after\n")
    (mine / "new").write_text("new\n")
    assert fast.changed_files(mine) == {mine / "committed", mine / "edited", mine / "new"}


def test_the_table_names_tests_that_there_are() -> None:
    texts: dict[str, str] = defaultdict(str)
    for path in (fast.ROOT / "harness" / "tests").rglob("test_*.py"):
        texts[path.name] += path.read_text("utf-8")
    named = {(name.partition("::")[0], name.partition("[")[0].rpartition("::")[2]) for name in fast.SLOW}
    gone = [f"{file}::{test}" for file, test in sorted(named) if f"def {test}(" not in texts[file]]
    assert not gone, "durations.json names tests that are no more"
