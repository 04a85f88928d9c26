"""The command that merges reports: one page of several, and a status that says what they come to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness import cli
from harness.report.document import NAME, Document, Test
from harness.report.history import append
from harness.tests.report.samples import run_of_each_kind


def test_shards_become_one_page_and_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2):
        run_of_each_kind().write(tmp_path / str(number) / NAME)
    append(tmp_path / "history", run_of_each_kind().boots)
    out, data = tmp_path / "new/page.html", tmp_path / "whole.json"
    said = ["--out", str(out), "--json", str(data), "--history", str(tmp_path / "history")]
    status = cli.main(["report", str(tmp_path / "1"), str(tmp_path / "2" / NAME), *said])
    assert status == 11, "one of the sample's failures is this host's"
    assert capsys.readouterr().out == f"12 of 60 tests failed, 2 could not be judged: {out}\n"
    assert len(json.loads(data.read_text())["tests"]) == 60
    page = out.read_text()
    assert "2 runs" in page
    assert "the median of 1 earlier run." in page
    assert len((tmp_path / "history").read_text().splitlines()) == 1, "looking at a report is no run"


def test_a_folder_without_a_report_is_an_error_and_never_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_of_each_kind().write(tmp_path / "1" / NAME)
    out = tmp_path / "page.html"
    assert cli.main(["report", str(tmp_path / "1"), str(tmp_path / "2"), "--out", str(out)]) == 4
    assert "there is no report to read" in capsys.readouterr().err
    assert not out.exists()


def test_a_page_that_cannot_be_written_is_said_by_its_flag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_of_each_kind().write(tmp_path / NAME)
    (tmp_path / "file").touch()
    assert cli.main(["report", str(tmp_path), "--out", str(tmp_path / "file" / "x.html")]) == 4
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tests", "status"),
    [
        ([Test("a", "passed"), Test("b", "skipped")], 0),
        ([Test("a", "passed"), Test("b", "failed")], 1),
        ([Test("a", "failed", fault="APPLIANCE"), Test("b", "error", fault="HARNESS")], 10),
        ([Test("a", "error", fault="SETUP"), Test("b", "error", fault="HOST")], 12),
        ([Test("a", "skipped")], 5),
        ([], 5),
    ],
)
def test_the_status_is_that_of_a_run(tmp_path: Path, tests: list[Test], status: int) -> None:
    Document(tests=tests).write(tmp_path / NAME)
    assert cli.main(["report", str(tmp_path), "--out", str(tmp_path / "x.html")]) == status
