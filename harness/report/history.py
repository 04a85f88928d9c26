"""History: the boot times of earlier runs, one JSON line a run in a file that a CI keeps from run to run."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from harness.lab.journal import BootTimes
from harness.report.summary import Key, medians

KEPT = 200
"""Runs that are kept, the last ones: some 100 kB."""


def earlier(path: Path) -> list[dict[Key, dict[str, float]]]:
    """The medians of the runs in a file, the oldest first; none where there is no file yet.

    A line that cannot be read, cut short by a host that died, say, is no run. Raises OSError.
    """
    if not path.exists():
        return []
    runs = []
    for line in path.read_text("utf-8", "replace").splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            rows = json.loads(line)["boots"]
            runs.append({(str(row["board"]), str(row["start"])): _seconds(row["phases"]) for row in rows})
    return runs


def append(path: Path, boots: Iterable[BootTimes]) -> None:
    """Add a run to a file, which is made where it is not there; nothing without boots. Raises OSError."""
    now = {key: phases for key, phases in medians(list(boots)).items() if phases}
    if not now:
        return
    rows = [{"board": board, "start": start, "phases": phases} for (board, start), phases in now.items()]
    line = json.dumps({"when": datetime.now(UTC).isoformat(timespec="seconds"), "boots": rows})
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text("utf-8", "replace").splitlines() if path.exists() else []
    new = path.with_name(f"{path.name}.new")
    # Whole or not at all: what was learned in months is not lost with a host that dies now.
    new.write_text("\n".join([*before[-(KEPT - 1) :], line]) + "\n", "utf-8")
    new.replace(path)


def _seconds(phases: Mapping[str, float]) -> dict[str, float]:
    return {str(name): float(seconds) for name, seconds in phases.items()}
