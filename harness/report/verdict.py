"""What a run comes to: whose fault the failures are, what was skipped and why, and the exit status."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from harness.errors import Fault

NO_TESTS = 5
TESTS_FAILED = 1


@dataclass
class Noted:
    """What the consoles of a run showed of one check."""

    first: str
    """What it said where it was seen first."""
    tests: int = 0
    boards: set[str] = field(default_factory=set)


@dataclass
class Verdict:
    """Collects what the tests came to; ``exit_status`` says what it means for the caller."""

    strict: bool = False
    """Whether a skip counts as a failure, and so does a part that was left out."""
    ran: int = 0
    """Tests whose body ran to a result."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Reason -> number of tests."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Parts of tests that ran, with the reason why the part does not apply -> number of tests."""
    faults: Counter[Fault] = field(default_factory=Counter)
    deviations: dict[str, str] = field(default_factory=dict)
    """Known deviations that were seen: identifier -> evidence."""
    console: dict[str, Noted] = field(default_factory=dict)
    """Findings that ended no test and that a clean console does not have, by the name of their check."""
    services: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    """Services that are no failure and yet worth knowing: kind -> what was seen -> boards."""

    def exit_status(self, status: int) -> int:
        """Turn pytest's exit status into ours; a set-up, host or harness failure outranks a red test.

        A run that was broken by its host says nothing about the appliance, so 12, 11 and 10 win over 1; an
        interrupted run (2) and pytest's own troubles (3, 4) stay what they are.
        """
        if status not in (0, TESTS_FAILED):
            return status
        for fault in (Fault.SETUP, Fault.HOST, Fault.HARNESS):
            if self.faults[fault]:
                return int(fault.value)
        if status == 0 and self.skipped and not self.ran:
            return NO_TESTS
        if status == 0 and self.strict and (self.skipped or self.left_out):
            return TESTS_FAILED
        return status
