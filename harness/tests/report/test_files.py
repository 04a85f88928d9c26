"""Which files a run writes, and what is said of one that could not be written."""

from __future__ import annotations

from pathlib import Path

from harness.options import Settings
from harness.report.document import Document
from harness.report.files import write_report
from harness.tests.report.samples import run_of_each_kind


def test_a_page_and_the_same_as_data_and_a_copy_and_a_history_where_they_are_asked_for(tmp_path: Path) -> None:
    settings = Settings(artifacts=tmp_path / "a", report_json=tmp_path / "b/r.json", history=tmp_path / "c/h")
    assert write_report(run_of_each_kind(), settings) == []
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"report.html", "report.json"}
    assert Document.read(tmp_path / "b/r.json").title == Document.read(tmp_path / "a").title
    assert "earlier run" not in (tmp_path / "a/report.html").read_text().split("Boot times")[1].split("</p>")[0]
    assert write_report(run_of_each_kind(), settings) == []
    assert "the median of 1 earlier run." in (tmp_path / "a/report.html").read_text()
    assert len((tmp_path / "c/h").read_text().splitlines()) == 2


def test_what_cannot_be_written_is_named_and_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = Settings(
        artifacts=tmp_path / "a", report_json=tmp_path / "file/r.json", history=tmp_path / "file/h"
    )
    lost = write_report(run_of_each_kind(), settings)
    assert [line.rpartition(": ")[2] for line in lost] == [str(tmp_path / "file/r.json"), str(tmp_path / "file/h")]
    assert (tmp_path / "a/report.html").exists()
