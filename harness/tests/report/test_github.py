"""What GitHub shows of a run: failed boots too, and nothing that a device said is taken for a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.options import Settings
from harness.report import github
from harness.report.document import Document, Test
from harness.report.files import write_report
from harness.report.github import ACTIONS, SUMMARY, annotation_lines, append, errors, summary
from harness.tests.report.samples import EVIL, failure, run_of_each_kind

THERE = {ACTIONS: "true"}


def test_each_failure_is_annotated_at_its_test_and_says_what_to_do() -> None:
    lines = annotation_lines(run_of_each_kind(), THERE)
    assert len(lines) == 7
    boot = next(line for line in lines if "initfailure" in line)
    assert boot.startswith(
        "::error file=scenarios/test_initfailure.py,line=12,title=scenarios/test_initfailure.py%3A%3A"
    )
    assert "::init exited with status 1" in boot
    assert "%0ATo do: the last lines" in boot
    assert "%0AAgain: pytest 'scenarios/" in boot


def test_elsewhere_nothing_is_annotated() -> None:
    assert annotation_lines(run_of_each_kind(), {}) == []
    assert annotation_lines(Document(tests=[Test("a", "passed")]), THERE) == []


def test_what_a_device_said_begins_no_command() -> None:
    said = "x\n::error::y\r::set-output name=a::b%0A"
    (line,) = annotation_lines(Document(tests=[failure(1, "WaitTimeout", "APPLIANCE", said)]), THERE)
    assert "\n" not in line
    assert "\r" not in line
    assert "x%0A::error::y%0D::set-output name=a::b%250A" in line


def test_what_github_would_drop_is_counted() -> None:
    reds = [failure(number, "WaitTimeout", "APPLIANCE", "x") for number in range(13)]
    lines = annotation_lines(Document(tests=reds), THERE)
    assert len(lines) == 11
    assert lines[-1] == "::notice title=gokrazy::3 more failures are in the report"


def test_the_summary_has_failures_first_and_their_cause_as_code() -> None:
    text = "\n".join(summary(run_of_each_kind()))
    assert text.startswith("### gokrazy: 6 of 30 tests failed, 1 could not be judged\n")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == 7
    assert all(row.count("|") == 4 for row in rows)
    assert f"`{EVIL}`" in text
    assert "<script>" not in text.replace(f"`{EVIL}`", "").replace(f"evil: {EVIL}", "")
    assert "known deviation `kernel-and-modules-fit" in text


def test_a_bar_and_a_backquote_end_no_cell() -> None:
    (row,) = [
        line
        for line in summary(Document(tests=[failure(1, "X", "APPLIANCE", "a | b ` <img> `c`\n| d")]))
        if line.startswith("| `")
    ]
    assert row.count("|") == 4
    assert row.count("`") == 6


def test_the_summary_is_appended_where_github_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "summary.md"
    there.write_text("before\n")
    monkeypatch.setenv(SUMMARY, str(there))
    monkeypatch.setattr(github, "MOST_BYTES", 200)
    assert write_report(run_of_each_kind(), Settings(artifacts=tmp_path)) == []
    text = there.read_text()
    assert text.startswith("before\n### gokrazy: 6 of 30")
    assert len(text) < 220
    monkeypatch.setenv(SUMMARY, str(tmp_path / "no" / "folder"))
    (lost,) = write_report(run_of_each_kind(), Settings(artifacts=tmp_path))
    assert str(tmp_path / "no" / "folder") in lost
    assert (tmp_path / "report.html").exists()


def test_what_a_comparison_found_is_annotated_by_its_title() -> None:
    found = [(f"virt: row {number}", "worse: 50%\n::error::no") for number in range(12)]
    lines = errors(found, "rows are worse", THERE)
    assert lines[0] == "::error title=virt%3A row 0::worse: 50%25%0A::error::no"
    assert lines[10:] == ["::notice title=gokrazy::2 more rows are worse"]
    assert errors(found, "rows are worse", {}) == []


def test_a_summary_is_added_to_what_other_steps_wrote_as_far_as_github_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    append("### \N{BLACK HEART SUIT}", path)
    append("x" * 2_000_000, path)
    text = path.read_text()
    assert text.startswith("before\n### \N{BLACK HEART SUIT}\nxxx")
    assert len(text) < 1_000_000
