"""Whether this host gave a QEMU the processors that its guest needed, by the scheduler's own count."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

WINDOW = 120.0
"""Seconds that are looked back on: the limits of all boards are of that order."""
ENOUGH = 0.25
"""The share of the wanted time below which no limit counts: budgets are four times what a boot takes."""
WANTS = 0.5
"""Processors that a guest must have wanted on average: one that has nothing to do lacks none."""


@dataclass(frozen=True)
class ProcessorTime:
    """What all threads of a process got so far, in seconds."""

    at: float
    ran: float
    waited: float
    """Ready to run, without a processor."""


@dataclass(frozen=True)
class Shortage:
    """What a guest got of the processors over a while; ``seconds`` is how long that was."""

    seconds: float
    ran: float
    waited: float

    @property
    def share(self) -> float:
        """What it got of the time that it could have used, from 0 to 1."""
        wanted = self.ran + self.waited
        return self.ran / wanted if wanted else 1.0

    @property
    def is_grave(self) -> bool:
        """Whether a limit that passed meanwhile says more about this host than about the guest."""
        return self.share < ENOUGH and self.ran + self.waited > WANTS * self.seconds

    def __str__(self) -> str:
        return f"{self.share:.0%} of the processor time that it could have used in the last {self.seconds:.0f} s"


class ProcessorTimes:
    """Looks at a process now and then; ``shortage`` sums up what it got since the oldest look in the window."""

    def __init__(self, pid: int, read: Callable[[int], ProcessorTime | None] | None = None) -> None:
        self._pid = pid
        self._read = read or processor_time
        self._looks: deque[ProcessorTime] = deque()
        self.look()

    def look(self) -> None:
        """Note what it got until now; a process that is gone gets nothing any more."""
        now = self._read(self._pid)
        if now is None:
            return
        self._looks.append(now)
        while len(self._looks) > 2 and now.at - self._looks[1].at > WINDOW:
            self._looks.popleft()

    def shortage(self) -> Shortage | None:
        """What it got in the window; None where this host's kernel does not count that."""
        self.look()
        if len(self._looks) < 2:
            return None
        first, last = self._looks[0], self._looks[-1]
        # Threads that ended take their count along.
        return Shortage(last.at - first.at, max(0.0, last.ran - first.ran), max(0.0, last.waited - first.waited))


def processor_time(pid: int) -> ProcessorTime | None:
    """What a process got by /proc/PID/task/TID/schedstat (Documentation/scheduler/sched-stats.rst of Linux)."""
    ran = waited = 0
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            words = (task / "schedstat").read_text("ascii").split()
            ran += int(words[0])
            waited += int(words[1])
    except (OSError, ValueError, IndexError):
        return None
    return ProcessorTime(time.monotonic(), ran / 1e9, waited / 1e9)
