"""The lines below a run: boot times, known deviations, what was skipped or left out and why, where to look."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from harness.bundle.quota import PROPERTY
from harness.errors import Fault
from harness.lab.journal import UPLOADED, BootTimes
from harness.report.recorder import SERVICES, Recorder
from harness.report.verdict import Noted
from harness.run.outcome import Outcome

COLUMNS = {
    "kernel": "kernel",
    "root": "root",
    "init": "init",
    "build": "build",
    "http": "dhcp",
    "ready": "http-200",
}
"""The phases of the table and their headings: the web interface listens on an address that came by DHCP."""

Key = tuple[str, str]
"""Board, and how it started."""

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
    if not (recorder.asked or recorder.boots or recorder.notes or verdict.skipped or verdict.faults):
        return
    terminal.section("gokrazy")
    for line in [*boot_table(recorder.boots), *run_times(recorder.outcomes.values()), *work_lines(recorder.work)]:
        terminal.write_line(line)
    for line in remarks(recorder):
        terminal.write_line(line)
    for line in bundle_lines(recorder.outcomes.values()):
        terminal.write_line(line)
    for name, evidence in sorted(verdict.deviations.items()):
        terminal.write_line(f"known deviation  {name}: {evidence}")
    for line in [*console_lines(verdict.console), *service_lines(verdict.services)]:
        terminal.write_line(line)
    for reason, count in sorted(verdict.skipped.items()):
        terminal.write_line(f"skipped {count:3}x  {reason}")
    for part, count in sorted(verdict.left_out.items()):
        terminal.write_line(f"left out {count:2}x  {part}")
    for fault, explanation in EXPLANATIONS.items():
        if verdict.faults[fault]:
            count = verdict.faults[fault]
            terminal.write_line(f"{count} {'failure' if count == 1 else 'failures'}: {explanation}")
    if page is not None and page.exists():
        terminal.write_line(f"report: {page}")


def bundle_lines(outcomes: Iterable[Outcome]) -> list[str]:
    """Two lines for each bundle that was kept: the test, or tests whose start failed, then the line to copy."""
    kept: dict[str, list[str]] = {}
    for one in outcomes:
        if PROPERTY in one.properties:
            kept.setdefault(one.properties[PROPERTY], []).append(one.nodeid)
    lines = []
    for line, tests in kept.items():
        others = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
        lines += [f"bundle of {tests[0]}{others}:", f"  {line}"]
    return lines


def console_lines(console: Mapping[str, Noted]) -> list[str]:
    """One line for each check whose findings ended no test: a clean console has none."""
    return [
        f"console [{check}] in {noted.tests} {'test' if noted.tests == 1 else 'tests'} "
        f"(on {', '.join(sorted(noted.boards))}): {noted.first}"
        for check, noted in sorted(console.items())
    ]


def service_lines(services: Mapping[str, Mapping[str, Collection[str]]]) -> list[str]:
    """One line for each service that is no failure and yet worth knowing, and one that counts them."""
    lines = [
        f"service {SERVICES[kind]}  {seen} (on {', '.join(sorted(where))})"
        for kind in SERVICES
        for seen, where in sorted(services.get(kind, {}).items())
    ]
    counts = [f"{len(services[kind])} {meaning}" for kind, meaning in SERVICES.items() if services.get(kind)]
    return [*lines, f"services: {', '.join(counts)}"] if lines else []


def remarks(recorder: Recorder) -> list[str]:
    """What was not as usual: an accelerator that broke, a QEMU that had to be killed, waiting for room."""
    # Each worker of a run reports what holds for all of them.
    lines = [f"note  {note}" for note in dict.fromkeys(recorder.notes)]
    if recorder.waits:
        waits = recorder.waits
        times = f"{sum(waits):.0f} s in all, {max(waits):.0f} s at most"
        lines.append(f"note  machines waited {len(waits)} times for room on this host: {times}")
    return lines


def work_lines(work: Mapping[str, Mapping[str, int]]) -> list[str]:
    """One line that sums up what the appliances of all boards cost: starts by cause, and uploads."""
    whole = sum((Counter(done) for done in work.values()), Counter[str]())
    uploaded = whole.pop(UPLOADED, 0)
    parts = [f"{count} by {cause}" for cause, count in whole.most_common()]
    parts += [f"{uploaded / 1e6:.0f} MB uploaded"] if uploaded else []
    return [f"starts: {', '.join(parts)}"] if whole else []


def medians(boots: Sequence[BootTimes]) -> dict[Key, dict[str, float]]:
    """Of each board and way of starting the median seconds to each phase, in the order of the phases."""
    groups: dict[Key, list[dict[str, float]]] = defaultdict(list)
    for board, start, phases in boots:
        groups[board, start].append(phases)
    return {
        key: {
            phase: statistics.median(found)
            for phase in COLUMNS
            if (found := [row[phase] for row in rows if phase in row])
        }
        for key, rows in groups.items()
    }


def boot_table(boots: Sequence[BootTimes]) -> list[str]:
    """One aligned line a board and way of starting: the median seconds since power-on at which each phase came."""
    if not boots:
        return []
    counts = Counter((board, start) for board, start, _ in boots)
    wide = max(14, *(len(board) for board, _, _ in boots))
    head = f"{'boot, seconds':{wide}} {'start':8} {'n':>3} " + " ".join(f"{name:>9}" for name in COLUMNS.values())
    lines = [head]
    for (board, start), phases in medians(boots).items():
        cells = [f"{phases[phase]:9.1f}" if phase in phases else f"{'-':>9}" for phase in COLUMNS]
        lines.append(f"{board:{wide}} {start:8} {counts[board, start]:3} " + " ".join(cells))
    return lines


def run_times(outcomes: Iterable[Outcome]) -> list[str]:
    """One line that says how many seconds of testing each board took, over all processes; none without a board."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.board and outcome.outcome != "skipped":
            seconds[outcome.board].append(outcome.seconds)
    parts = [f"{board} {sum(taken):.0f} ({len(taken)} tests)" for board, taken in seconds.items()]
    return [f"tests, seconds: {', '.join(parts)}"] if parts else []
