"""What a job shows of a comparison: annotations, its summary, JUnit, and the exit status of the verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness import cli
from harness.boards import board
from harness.bump import bump as bumping
from harness.bump.compare import Row, Verdict
from harness.commands.bump import Look
from harness.lab.lab import Lab
from harness.report.github import ACTIONS, SUMMARY
from harness.tests.bump.test_render import WHAT

SAME = Row("virt", "boots", Verdict.SAME)
GONE = Row("virt", "network card igb", Verdict.WORSE, "it is gone")


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A job of GitHub; returns the file of its summary."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(ACTIONS, "true")
    monkeypatch.setenv(SUMMARY, str(tmp_path / "summary.md"))
    return tmp_path / "summary.md"


def bump(monkeypatch: pytest.MonkeyPatch, rows: list[Row], *more: str) -> int:
    """The command, with a comparison that finds these rows."""

    def at(self: Look, *_: Any, **__: Any) -> Any:
        return WHAT, rows

    monkeypatch.setattr(Look, "at", at)
    Path("config.json").write_text("{}")
    return cli.main(["bump", ".", "--kernel", "example.com/kernel@v1", *more])


def test_a_regression_is_shown_everywhere(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ("--json", "--junit", "out/junit.xml", "--markdown", "out/bump.md")
    assert bump(monkeypatch, [SAME, GONE], *files) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["regression"] is True
    assert "::error title=virt%3A network card igb::worse: it is gone" in said.err.splitlines()
    verdict = Path("out/bump.md").read_text()
    assert "1 of 2 rows are worse" in verdict
    assert verdict in job.read_text()
    assert ElementTree.parse("out/junit.xml").getroot()[0].get("failures") == "1"


def test_no_regression_is_annotated_with_nothing(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bump(monkeypatch, [SAME]) == 0
    assert "::error" not in capsys.readouterr().err
    assert "no regression in 1 rows" in job.read_text()


def test_a_summary_that_cannot_be_written_changes_no_verdict(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job.mkdir()
    assert bump(monkeypatch, [SAME]) == 0


def test_a_place_that_takes_no_junit_is_named(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").touch()
    assert bump(monkeypatch, [SAME], "--junit", "file/junit.xml") == 4
    assert "give --junit with a place that may be written to" in capsys.readouterr().err


def test_it_is_known_before_the_comparison_that_a_place_takes_nothing(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").touch()
    assert bump(monkeypatch, [GONE], "--html", "file/bump.html") == 4
    said = capsys.readouterr()
    assert "network card igb" not in said.out
    assert "give --html with a place that may be written to" in said.err


def test_a_file_that_cannot_be_written_takes_no_verdict_along(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder").mkdir()
    assert bump(monkeypatch, [GONE], "--markdown", "folder") == 4
    assert "network card igb" in capsys.readouterr().out


def test_a_row_that_is_not_there_is_answered_with_those_that_are(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bumping, "sides", lambda *_: WHAT)
    monkeypatch.setattr(bumping, "bump", lambda *_, **__: iter([SAME, GONE, SAME]))
    monkeypatch.setattr(Lab, "boards", (board("virt"),))
    Path("config.json").write_text('{"Hostname": "mine"}')
    assert cli.main(["bump", ".", "--kernel", "example.com/kernel@v1", "--row", "memory"]) == 4
    said = capsys.readouterr().err
    assert "no board has the row 'memory'" in said
    assert said.endswith("  seen:\n    boots\n    network card igb\n")
