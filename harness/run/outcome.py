"""Outcome: what came of one test of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.errors import Fault

FAULT = "gk_fault"
"""Attribute of a report, and property of a test in JUnit: whose fault a failure is, the name of a ``Fault``."""


@dataclass
class Outcome:
    """One test, and what came of it."""

    nodeid: str
    outcome: str
    seconds: float = 0.0
    """Set-up, test and tear-down together."""
    board: str = ""
    reason: str = ""
    """Why it was skipped, or the first line of what went wrong."""
    error: str = ""
    sections: list[tuple[str, str]] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    stage: str = ""
    """In which stage it failed: setup, call or teardown."""
    fault: str = ""
    """Whose fault it is, the name of a ``Fault``; "" where the error is not one of the harness."""
    kind: str = ""
    """The class of the error."""
    where: str = ""
    hint: str = ""
    """What to do about it."""
    file: str = ""
    line: int = 0
    """Where the test stands; the line counts from 1."""
    stages: list[tuple[str, float, float]] = field(default_factory=list)
    """Each stage with its begin and end, as seconds since 1970."""
    story: dict[str, Any] = field(default_factory=dict)
    """The time line of its appliance, as ``harness/appliance/story.py`` makes it."""
    screen: dict[str, Any] = field(default_factory=dict)
    """What its screen showed when it failed: ``at``, as its time line counts, and ``png`` in base 64."""
    pictures: list[dict[str, Any]] = field(default_factory=list)
    """What the test had shown of its appliance's pages: ``title``, ``at`` and ``png``, as above."""

    @property
    def is_failure(self) -> bool:
        """Whether the appliance failed the test, be it that it did not even come up for it."""
        return self.fault == Fault.APPLIANCE.name if self.fault else self.outcome == "failed"


def did_not_come_up(report: pytest.CollectReport | pytest.TestReport) -> bool:
    """Whether the appliance did not come up for a test: it failed the test, and that is no error of its set-up."""
    return report.failed and report.when == "setup" and getattr(report, FAULT, "") == Fault.APPLIANCE.name
