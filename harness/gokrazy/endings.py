"""How a service ended, each time, by what init and the program itself left in the service's log."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

_BY_INIT = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d gokrazy: (.*)")
"""What init's supervise.go writes to the standard error output of each service."""
_STARTS = re.compile(r"attempt (\d+), starting ")
_LEAVES = {
    "exited successfully, stopping": "status 0",
    "process should not be supervised, stopping": "status 125",
}
_ENDS = re.compile(r"exit status \d+|signal: .*|fork/exec .*|wait: .*")
_CRASHES = re.compile(r"^(?:panic|fatal error): ")
_STAMP = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)? ")
"""What Go's log package puts before a line."""
_DATED = re.compile(r"[\d/.:T+Z-]+")
"""The date or the time in front of a line."""
_FAREWELL = re.compile(
    r"\b(?:exit(?:ing|ed|s)?|quit(?:ting)?|abort(?:ing|ed)?|shutting down|stopping|giving up|bye)\b", re.IGNORECASE
)
"""A last line that says no more than that the program leaves."""
MOST = 4
"""Words of a line that may be a mere farewell, a log's date and time not counted."""


class Said(Protocol):
    """A line of a log."""

    @property
    def stream(self) -> str:
        """stdout or stderr."""

    @property
    def text(self) -> str:
        """Without its line end."""


@dataclass
class Attempt:
    """One process of a service. ``ended`` is how, such as ``exit status 1``; "" while it runs."""

    number: int
    words: list[str]
    """What it wrote to its standard error output."""
    ended: str = ""

    @property
    def left(self) -> bool:
        """Whether it ended so that init leaves it alone."""
        return self.ended in _LEAVES.values()

    @property
    def last_words(self) -> str:
        """Why it ended, as it said itself: a crash's first line, else its last line that is no mere farewell."""
        crashes = [line for line in self.words if _CRASHES.search(line)]
        reasons = [line for line in self.words if not _is_farewell(line)]
        return _STAMP.sub("", (crashes or reasons or self.words or [""])[-1]).strip()


def attempts(log: Iterable[Said]) -> list[Attempt]:
    """Return the processes that a log shows, oldest first, as far as the device remembers their start.

    Where a program says nothing on its standard error output, its standard output is what it said each time: the
    device does not keep the two in their order.
    """
    found: list[Attempt] = []
    printed: list[str] = []
    for line in log:
        by_init = _BY_INIT.match(line.text)
        if by_init is None:
            if line.stream == "stdout":
                printed.append(line.text)
            elif found and line.text.strip():
                found[-1].words.append(line.text)
        elif start := _STARTS.match(by_init[1]):
            found.append(Attempt(int(start[1]), []))
        elif found and not found[-1].ended and (by_init[1] in _LEAVES or _ENDS.match(by_init[1])):
            found[-1].ended = _LEAVES.get(by_init[1], by_init[1])
    for one in found:
        one.words = one.words or [text for text in printed if text.strip()]
    return found


def _is_farewell(line: str) -> bool:
    words = [word for word in line.split() if not _DATED.fullmatch(word)]
    return len(words) <= MOST and _FAREWELL.search(line) is not None
