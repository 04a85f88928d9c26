"""The files of a report: the page, and the same as data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.options import Settings
from harness.report.charts import charts
from harness.report.document import NAME, Document
from harness.report.page import write_page
from harness.report.places import not_written
from harness.report.recorder import Recorder
from harness.report.reproduce import Typed

PAGE = "report.html"


def write_files(recorder: Recorder, settings: Settings, typed: Typed) -> list[str]:
    """Write all files of a run that is over; returns a line for each that could not be written."""
    shard = "/".join(map(str, settings.shard)) if settings.shard else ""
    document = Document.of(recorder, typed, shard=shard)
    folder = settings.artifacts
    drawn = charts(document.boots)
    return [
        *_tried(folder / NAME, "--gk-artifacts", document.write),
        *_tried(folder / PAGE, "--gk-artifacts", lambda path: write_page(path, document, drawn)),
    ]


def _tried(path: Path, flag: str, write: Callable[[Path], None]) -> list[str]:
    try:
        write(path)
    except OSError as error:
        return [f"{not_written(error, path.parent, what='the report', flag=flag).what}: {path}"]
    return []
