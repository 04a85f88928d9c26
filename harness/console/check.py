"""What a console check is: what it looks for in a line, when that counts, and what it means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from harness.errors import ApplianceFault, HarnessError


class Severity(Enum):
    """What a finding does."""

    FATAL = "fatal"
    """It ends every wait at once."""
    NOTED = "noted"
    """The console is not clean."""
    INFO = "info"
    """Worth knowing; counts only where it is asked for."""


@dataclass(frozen=True)
class Check:
    """One thing to look for in each line of the console."""

    name: str
    """What a test calls it, to allow it."""
    pattern: re.Pattern[str]
    meaning: str
    """In words; ``{0}`` is what the pattern matched, ``{1}`` its first group."""
    severity: Severity
    error: type[HarnessError] = ApplianceFault
    kernel: bool | None = None
    """Whether only lines of the kernel (or only other lines) count."""
    patience: float = 0.0
    """Seconds for which it may be cured, by ``cured_by``, before it counts; 0: it counts at once."""
    cured_by: re.Pattern[str] | None = None
    look_back: int = 5
    """How many of the lines before it belong to the evidence."""
    firmware: bool = False
    """Whether it counts only while no kernel runs: a program may print such words with no harm."""


def check(
    name: str,
    pattern: str,
    meaning: str,
    severity: Severity,
    error: type[HarnessError] = ApplianceFault,
    *,
    kernel: bool | None = None,
    patience: float = 0.0,
    cured_by: str = "",
    look_back: int = 5,
    firmware: bool = False,
) -> Check:
    """A check, its patterns written as text."""
    return Check(
        name,
        re.compile(pattern),
        meaning,
        severity,
        error,
        kernel,
        patience,
        re.compile(cured_by) if cured_by else None,
        look_back,
        firmware,
    )
