"""The files of a report: the page, the same as data, and the history that the next report compares with."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from harness.options import Settings
from harness.report import github, history
from harness.report.charts import charts
from harness.report.document import NAME, Document
from harness.report.page import write_page
from harness.report.places import PAGE, not_written
from harness.report.summary import Key


def write_report(document: Document, settings: Settings) -> list[str]:
    """Write all files of a run that is over; returns a line for each that could not be written."""
    folder, past = settings.artifacts, list[dict[Key, dict[str, float]]]()
    lost = []
    if settings.history is not None:
        lost += _tried(settings.history, "--gk-history", lambda path: past.extend(history.earlier(path)))
    drawn = charts(document.boots, past, document.limits)
    lost += [
        *_tried(folder / NAME, "--gk-artifacts", document.write),
        *_tried(folder / PAGE, "--gk-artifacts", lambda path: write_page(path, document, drawn)),
    ]
    if path := os.environ.get(github.SUMMARY):
        lost += _tried(Path(path), github.SUMMARY, lambda path: github.summarise(document, path))
    if settings.report_json is not None:
        lost += _tried(settings.report_json, "--gk-report-json", document.write)
    if settings.history is not None:
        lost += _tried(settings.history, "--gk-history", lambda path: history.append(path, document.boots))
    return lost


def _tried(path: Path, flag: str, write: Callable[[Path], None]) -> list[str]:
    try:
        write(path)
    except OSError as error:
        return [f"{not_written(error, path.parent, what='the report', flag=flag).what}: {path}"]
    return []
