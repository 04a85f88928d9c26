"""Outcome: what came of one test of a run."""

from __future__ import annotations

from dataclasses import dataclass, field


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
