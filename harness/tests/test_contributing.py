"""CONTRIBUTING.md: what it names is there, and what it says of adding things holds for things added from outside.

A board is added in ``boards/test_new_board.py``, a crash pattern in ``console/test_crashes.py``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest.config.argparsing import Parser

from harness import options
from harness.appliance import wanted
from harness.boards import board
from harness.errors import OptionError
from harness.option import Option, rows
from harness.run import markers
from harness.tests.test_plugin import Run, instance, run

__all__ = ["run"]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "CONTRIBUTING.md"
clone_only = pytest.mark.skipif(not PAGE.is_file(), reason="not a clone: there is no CONTRIBUTING.md")


@clone_only
def test_every_file_that_it_names_is_there() -> None:
    named = re.findall(r"`([\w./-]+/[\w./-]*)`|\]\(([\w./-]+)\)", PAGE.read_text())
    paths = {one or other for one, other in named}
    assert len(paths) > 10
    assert [path for path in sorted(paths) if "NAME" not in path and not any(is_there(path))] == []


def is_there(path: str) -> list[bool]:
    return [(ROOT / folder / path).exists() for folder in ("", "harness")]


@clone_only
def test_the_map_has_every_package_and_every_door() -> None:
    tree = PAGE.read_text().split("## The map")[1].split("```")[1]
    shown = {found.rstrip("/") for found in re.findall(r"^  ([\w.]+/?) ", tree, re.MULTILINE)}
    harness = ROOT / "harness"
    packages = {path.parent.name for path in harness.glob("*/__init__.py")} - {"entry"}
    doors = {path.name for path in harness.glob("*.py") if not path.name.startswith("__")}
    assert shown == packages | doors


def test_a_scenario_is_a_file_anywhere(run: Run, tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text("def test_it_answers(appliance):\n    appliance.status()\n")
    mine = instance(tmp_path / "mine")
    status, said = run(
        str(tmp_path / "test_own.py"), "--gk-instance", str(mine), "--gk-board", "virt", "--collect-only", "-q"
    )
    assert "test_own.py::test_it_answers[virt]" in said
    assert status == 0


def test_an_option_of_one_test_is_a_field_with_its_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class More(wanted.Wanted):
        colour: str = field(
            default="red",
            metadata=wanted.marker("gk_colour", "of its case", arguments="(name)", read=wanted.closest),
        )

    monkeypatch.setattr(markers, "Wanted", More)

    def asked(*marks: str) -> Any:
        found = [SimpleNamespace(args=(mark,)) for mark in marks]
        item: Any = SimpleNamespace(
            nodeid="test_it", iter_markers=lambda name: found if name == "gk_colour" else []
        )
        return markers.wanted_of(item, board("virt"), running=True)

    assert asked().colour == "red"
    assert asked("blue", "green").colour == "blue"


def test_an_option_of_a_run_is_a_field_with_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True, kw_only=True)
    class More(options.Settings):
        colour: str = Option("colour", "of the case", metavar="NAME", choices=("red", "blue")).default("red")

    monkeypatch.setattr(options, "Settings", More)
    monkeypatch.setattr(options, "OPTIONS", rows(More))
    parser = Parser(_ispytest=True)
    options.add_options(parser)
    typed = vars(parser.parse(["--gk-colour", "blue"]))
    read: Any = options.settings_from({"gk_colour": typed["gk_colour"]})
    assert read.colour == "blue"
    assert getattr(options.settings_from({}), "colour", "") == "red"
    with pytest.raises(OptionError, match="--gk-colour does not know 'green'"):
        options.settings_from({"gk_colour": "green"})
