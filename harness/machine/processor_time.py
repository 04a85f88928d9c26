"""Whether this host gave a QEMU the processors that its guest needed, by the scheduler's own count."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

WINDOW = 120.0
"""Seconds that are looked back on: the limits of all boards are of that order."""
RECENT = 30.0
"""Seconds of it that are looked at apart: who has processors again, and does not use them, lacks none."""
LEAST = 20.0
"""Seconds that say something."""
ENOUGH = 0.25
"""The share of the wanted time below which no limit counts: budgets are four times what a boot takes."""
WANTS = 0.5
"""Processors that a guest must have wanted on average: one that has nothing to do lacks none."""
MOST = 0.5
"""The share of the host's processors from which on nobody else can be to blame."""


@dataclass(frozen=True)
class ProcessorTime:
    """What all threads of a process got so far, in seconds."""

    at: float
    ran: float
    waited: float
    """Ready to run, without a processor."""


@dataclass(frozen=True)
class Shortage:
    """What a guest got of this host's processors over a while; ``seconds`` is how long that was."""

    seconds: float
    ran: float
    waited: float
    processors: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))

    @property
    def share(self) -> float:
        """What it got of the time that it could have used, from 0 to 1."""
        wanted = self.ran + self.waited
        return self.ran / wanted if wanted else 1.0

    @property
    def is_grave(self) -> bool:
        """Whether a limit that passed meanwhile says more about this host than about the guest.

        A guest whose own processors wait for each other has most of the host, and lacks none.
        """
        wants = self.ran + self.waited > WANTS * self.seconds
        others = self.ran < MOST * self.processors * self.seconds
        return self.share < ENOUGH and wants and others

    def __str__(self) -> str:
        return f"{self.share:.0%} of the processor time that it could have used in the last {self.seconds:.0f} s"


class ProcessorTimes:
    """Looks at a process now and then; ``shortage`` sums up what it got since the oldest look in the window."""

    def __init__(self, pid: int, read: Callable[[int], ProcessorTime | None] | None = None) -> None:
        self._pid = pid
        self._read = read or processor_time
        self._looks: deque[ProcessorTime] = deque()
        self._before = ProcessorTime(0.0, 0.0, 0.0)
        """What processes before this one got, of the same guest."""
        self.look()

    def go_on_from(self, earlier: ProcessorTimes) -> None:
        """Count what the process before this one got as well: a board may get a new one at each reset."""
        if not earlier._looks:
            return
        self._before = earlier._looks[-1]
        mine = [self._with_before(one) for one in self._looks]
        self._looks = deque([*earlier._looks, *mine])

    def look(self) -> None:
        """Note what it got until now; a process that is gone gets nothing any more."""
        now = self._read(self._pid)
        if now is None:
            return
        now = self._with_before(now)
        self._looks.append(now)
        while len(self._looks) > 2 and now.at - self._looks[1].at > WINDOW:
            self._looks.popleft()

    def shortage(self) -> Shortage | None:
        """What it got in the window, or of late if that was no shortage; None where too little was counted."""
        self.look()
        if len(self._looks) < 2 or self._looks[-1].at - self._looks[0].at < LEAST:
            return None
        late = [one for one in self._looks if self._looks[-1].at - one.at >= RECENT]
        recent = self._since(late[-1] if late else self._looks[0])
        return self._since(self._looks[0]) if recent.is_grave else recent

    def _since(self, first: ProcessorTime) -> Shortage:
        last = self._looks[-1]
        # Threads that ended take their count along.
        return Shortage(last.at - first.at, max(0.0, last.ran - first.ran), max(0.0, last.waited - first.waited))

    def _with_before(self, now: ProcessorTime) -> ProcessorTime:
        return ProcessorTime(now.at, now.ran + self._before.ran, now.waited + self._before.waited)


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
