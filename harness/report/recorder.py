"""Listens to the tests' reports, also those that come from other processes, and keeps what a reader needs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from harness.errors import Fault
from harness.lab.journal import BootTimes
from harness.report.evidence import first_line
from harness.report.properties import CONSOLE, LEFT_OUT
from harness.report.verdict import Noted, Verdict
from harness.run.outcome import FAULT, Outcome
from harness.run.rerun import EARLIER

SERVICES = {
    "needs-hardware": "needs hardware that its board lacks",
    "needs-network": "needs others, whom it did not reach",
    "ended": "ended by itself",
    "expected": "does what it was expected to do",
}
"""What is reported of a service that is no failure, and what it means."""


class Recorder:
    """A pytest plugin object: one Outcome a test, in the order in which they ran."""

    def __init__(self, verdict: Verdict, words: Callable[[str], str] = str) -> None:
        self.verdict = verdict
        self._words = words
        self.outcomes: dict[str, Outcome] = {}
        self.boots: list[BootTimes] = []
        self.work: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """By board, how often its appliances started, by cause, and how many bytes they were sent."""
        self.facts: dict[str, str] = {}
        """What the run is made of: name and value."""
        self.images: dict[str, dict[str, Any]] = {}
        """By digest, what each image is and was made of; see ``harness.lab.journal.contents``."""
        self.notes: list[str] = []
        """What went otherwise than usual, and is no test's outcome."""
        self.asked = False
        """Whether any test asked for an appliance."""
        self.waits: list[float] = []
        """Seconds that machines waited for room on this host."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in one phase of one test."""
        outcome = self.outcomes.setdefault(report.nodeid, Outcome(report.nodeid, "passed"))
        outcome.seconds += report.duration
        outcome.file, outcome.line = report.location[0], (report.location[1] or 0) + 1
        if report.when == "setup":
            # Of a try before this one, where a plugin runs a test again.
            outcome.stages.clear()
        if report.stop:
            outcome.stages.append((report.when, report.start, report.stop))
        if getattr(report, "gk_appliance", False):
            self.asked = True
        for news in (*getattr(report, EARLIER, ()), getattr(report, "gk_news", {})):
            self.boots += [(str(board), str(kind), dict(times)) for board, kind, times in news.get("boots", [])]
            for board, done in news.get("work", {}).items():
                self.work[board].update(done)
            self.facts.update({name: self._words(fact) for name, fact in news.get("facts", {}).items()})
            self.notes += [self._words(note) for note in news.get("notes", [])]
            self.waits += news.get("waits", [])
            for image in news.get("images", []):
                self.images.setdefault(image["digest"], image)
            outcome.story = news.get("story", outcome.story)
            outcome.pictures = news.get("pictures", outcome.pictures)
        for name, value in report.user_properties:
            outcome.properties[str(name)] = str(value)
            if str(name).startswith("gk_deviation:"):
                self.verdict.deviations[str(name).removeprefix("gk_deviation:")] = str(value)
            self._take_service(str(name), str(value), outcome)
            if str(name).startswith(CONSOLE) and report.when == "call":
                self._take_finding(str(name).removeprefix(CONSOLE), str(value), outcome)
            if str(name).startswith(LEFT_OUT) and report.when == "call":
                self.verdict.left_out[self._words(f"{str(name).removeprefix(LEFT_OUT)}: {value}")] += 1
        outcome.board = outcome.properties.get("gk_board", getattr(report, "gk_on", outcome.board))
        if report.failed:
            self._take_failure(report, outcome)
        elif report.skipped:
            outcome.outcome = "skipped"
            outcome.reason = _skip_reason(report)
            if getattr(report, "gk_appliance", False):
                self.verdict.skipped[outcome.reason] += 1
        if report.when == "call" and not report.skipped:
            self.verdict.ran += 1

    def _take_failure(self, report: pytest.TestReport, outcome: Outcome) -> None:
        fault: str = getattr(report, FAULT, "")
        if fault:
            self.verdict.faults[Fault[fault]] += 1
        if outcome.stage:
            # It had failed already: what failed while it was torn down is not its cause.
            outcome.sections.append((f"{report.when} failed as well", report.longreprtext))
            return
        outcome.outcome = "failed" if report.when == "call" else "error"
        outcome.stage = report.when
        outcome.error = report.longreprtext
        outcome.sections = list(report.sections)
        said: dict[str, str] = getattr(report, "gk_error", {})
        outcome.fault, outcome.kind = fault, said.get("kind", "")
        outcome.reason = said.get("what") or first_line(report)
        outcome.where, outcome.hint = said.get("where", ""), said.get("hint", "")
        outcome.screen = getattr(report, "gk_screen", {})

    def _take_service(self, name: str, text: str, outcome: Outcome) -> None:
        kind, _, service = name.removeprefix("gk_").partition(":")
        if kind in SERVICES:
            board = outcome.properties.get("gk_board", outcome.board)
            self.verdict.services.setdefault(kind, {}).setdefault(f"{service}: {text}", set()).add(board)

    def _take_finding(self, check: str, what: str, outcome: Outcome) -> None:
        noted = self.verdict.console.setdefault(check, Noted(what))
        noted.tests += 1
        noted.boards.add(outcome.properties.get("gk_board", outcome.board))


def _skip_reason(report: pytest.TestReport) -> str:
    text = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else report.longreprtext
    return text.removeprefix("Skipped: ")
