"""The lines below a run: boot times, known deviations, what was skipped and why, where to look."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from harness.errors import Fault
from harness.report.recorder import BootTimes, Recorder

PHASES = ("kernel", "root", "init", "build", "http", "ready")

EXPLANATIONS = {
    Fault.HARNESS: "the harness broke its own promise (exit status 10): please report it",
    Fault.HOST: "this machine could not carry the run (exit status 11): it says nothing about the appliance",
    Fault.SETUP: "something is not installed here (exit status 12): gokharness doctor says what",
}


class Terminal(Protocol):
    """What is used of pytest's terminal reporter."""

    def section(self, title: str, sep: str = "=") -> None:
        """Write a line with a title in it."""

    def write_line(self, line: str) -> None:
        """Write one line."""


def write_summary(terminal: Terminal, recorder: Recorder, page: Path | None) -> None:
    """Write what a person wants to know after a run; nothing when no appliance was asked for."""
    verdict = recorder.verdict
    if not recorder.boots and not verdict.skipped and not verdict.faults:
        return
    terminal.section("gokrazy")
    for line in boot_table(recorder.boots):
        terminal.write_line(line)
    for name, evidence in sorted(verdict.deviations.items()):
        terminal.write_line(f"known deviation  {name}: {evidence}")
    for reason, count in sorted(verdict.skipped.items()):
        terminal.write_line(f"skipped {count:3}x  {reason}")
    for fault, explanation in EXPLANATIONS.items():
        if verdict.faults[fault]:
            terminal.write_line(f"{verdict.faults[fault]} failures: {explanation}")
    if page is not None and page.exists():
        terminal.write_line(f"report: {page}")


def boot_table(boots: Sequence[BootTimes]) -> list[str]:
    """One aligned line a board and way of starting: the median seconds since power-on at which each phase came."""
    if not boots:
        return []
    groups: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    for board, kind, phases in boots:
        groups[board, kind].append(phases)
    head = f"{'boot, seconds':14} {'start':8} {'n':>3} " + " ".join(f"{phase:>9}" for phase in PHASES)
    lines = [head]
    for (board, kind), rows in groups.items():
        cells = []
        for phase in PHASES:
            values = [row[phase] for row in rows if phase in row]
            cells.append(f"{statistics.median(values):9.1f}" if values else f"{'-':>9}")
        lines.append(f"{board:14} {kind:8} {len(rows):3} " + " ".join(cells))
    return lines
