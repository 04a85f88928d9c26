"""What a console check is: what it looks for in a line, when that counts, and what it means."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from harness.console.literals import literals
from harness.errors import ApplianceFault, HarnessError

PANIC_WINDOW = 2.0
"""Seconds to wait for the rest of a kernel's last words before a crash is reported."""
PANIC_SILENCE = 0.75
"""Seconds of silence after which they are complete."""
FATAL_WINDOW = 0.5
"""The same for what is fatal without a panic."""


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
    """One thing to look for in each line of the console: a row of the table in ``checks/``.

    Patterns are regular expressions, searched for in the line without escape sequences.
    """

    name: str
    """The name by which a test allows it."""
    pattern: str
    meaning: str
    """In words; ``{0}`` is what the pattern matched, ``{1}`` its first group."""
    severity: Severity
    error: type[HarnessError] = ApplianceFault
    """The error that ends a wait, if it is fatal."""
    kernel: bool | None = None
    """Whether only lines of the kernel (or only other lines) count."""
    firmware: bool = False
    """Whether it counts only while no kernel runs: a program may print such words with no harm."""
    patience: float = 0.0
    """Seconds for which it may be cured, by ``cured_by``, before it counts; 0: it counts at once."""
    cured_by: str = ""
    """The pattern of a later line that shows that all is well."""
    follows: tuple[str, ...] = ()
    """Checks that say more: if one of them fitted shortly before, in the same boot, its words come first."""
    look_back: int = 5
    """How many of the lines before it belong to the evidence."""
    of_init: bool = False
    """Whether what init said last belongs to the evidence and to the meaning, whatever ``look_back`` says."""
    window: float = FATAL_WINDOW
    """Seconds in which the lines after it belong to the evidence; a panic has ``PANIC_WINDOW`` anyway."""
    names_function: bool = False
    """Whether the function at fault, which stands in the lines after it, belongs to the meaning."""
    breakpoint: str = ""
    """A pattern in what was matched: a breakpoint stopped the kernel, and QEMU's translation may be to blame."""
    hint: str = ""
    """What to do about it: each fatal check says so."""
    cause: str = ""
    """What to do about it, where it explains what fails after it; ``{memory}`` and ``{more}`` are filled in."""
    example: str = ""
    """A line of a real console that it fits, without the kernel's time."""
    of_busy_host: bool = False
    """Whether a guest says so too when its host gives it no processor."""
    anywhere: bool = False
    """Whether a fatal one counts inside of a line, too; else what a program quotes is none."""
    regex: re.Pattern[str] = field(init=False, repr=False, compare=False)
    cure: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    words: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """A line that has none of them does not fit; empty where each line must be searched."""

    @property
    def begins_line(self) -> bool:
        """Whether its words count only at the beginning of a line."""
        return self.severity is Severity.FATAL and not (self.firmware or self.anywhere)

    def __post_init__(self) -> None:
        object.__setattr__(self, "regex", re.compile(self.pattern))
        object.__setattr__(self, "words", literals(self.regex))
        object.__setattr__(self, "cure", re.compile(self.cured_by) if self.cured_by else None)
