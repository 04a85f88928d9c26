"""Tests that were skipped: counted with their reasons; where all tools must be there, none for want of one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import pytest

MAY_BE = re.compile(r"/dev/kvm|KVM is tried for|does not let|not a clone")
"""Reasons that a host gives by what it is. All others are something that can be installed."""


def reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why this was skipped."""
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return told.removeprefix("Skipped: ")


def as_failure(report: pytest.TestReport) -> None:
    """Turn a skip for want of a tool into a failure; leave all others."""
    if report.skipped and not hasattr(report, "wasxfail") and not MAY_BE.search(why := reason(report)):
        report.outcome = "failed"
        report.longrepr = f"skipped, and with --tools-required nothing may be for want of a tool: {why}"


def lines(reports: Iterable[pytest.TestReport | pytest.CollectReport]) -> list[str]:
    """One line a reason, with how many tests had it."""
    return [f"skipped {count:3}x  {why}" for why, count in sorted(Counter(map(reason, reports)).items())]
