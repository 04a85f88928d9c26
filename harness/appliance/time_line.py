"""Time line: what happened to one appliance, and what was done to it, moment by moment, for a report."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

MOST = 120
"""Happenings kept of each lane: the last ones, as a failure is at the end."""
SOON = 2.0
"""Seconds after which the same is another happening."""
LONGEST = 240
"""Characters of one text."""
SHORTEST_SECRET = 4
"""Characters; to hide less would tear holes into every other word."""
HIDDEN = "(hidden)"


class Lane(StrEnum):
    """What a happening is about; in the order in which a report shows them."""

    BOOT = "boot"
    CONSOLE = "console"
    HTTP = "http"
    SSH = "ssh"
    UPDATE = "update"
    SERVICES = "services"
    POWER = "power"
    QEMU = "qemu"
    FAULTS = "faults"
    NOTES = "notes"


class Kind(StrEnum):
    """How a happening is to be taken."""

    USUAL = ""
    NOTED = "noted"
    """Not as usual, yet no failure."""
    FAILED = "failed"
    FATAL = "fatal"
    """It ended the appliance, or every wait for it."""


@dataclass
class Happening:
    """One thing that happened. Times are seconds since the time line began."""

    at: float
    lane: Lane
    text: str
    kind: Kind = Kind.USUAL
    end: float | None = None
    """When it was over; None for what takes no time, or lasts."""
    times: int = 1
    """How often it happened in a row; ``end`` is that of the last time."""
    lasts: bool = False
    """Whether it is not over yet."""


class TimeLine:
    """The happenings of one appliance, bounded in number and bytes.

    It may be added to from any thread. ``clock`` counts seconds, as the console's and the machine's clock do.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.zero = clock()
        """What the clock said when it began."""
        self.began = time.time()
        """The same moment as seconds since 1970, by the host's clock."""
        self.left_out: Counter[Lane] = Counter()
        """Happenings that were dropped for later ones."""
        self._lanes: dict[Lane, deque[Happening]] = {lane: deque(maxlen=MOST) for lane in Lane}
        self._secrets: list[str] = []
        self._lock = threading.Lock()

    def add(
        self,
        lane: Lane | str,
        text: str,
        *,
        kind: Kind | str = Kind.USUAL,
        at: float | None = None,
        end: float | None = None,
    ) -> Happening:
        """Note that something happened: now, or at what the clock said then, until ``end`` if it took time.

        The same again within two seconds, with nothing between on its lane, makes the last one longer.
        """
        now = self.clock() if at is None else at
        last = None if end is None else end - self.zero
        new = Happening(now - self.zero, Lane(lane), self.hide(text)[:LONGEST], Kind(kind), last)
        with self._lock:
            row = self._lanes[new.lane]
            if row and _goes_on(row[-1], new):
                row[-1].times += 1
                row[-1].end = last if last is not None else new.at
                return row[-1]
            self._keep(new)
        return new

    def begin(self, lane: Lane | str, text: str) -> Happening:
        """Note that something lasts from now on, until ``over``."""
        at = self.clock() - self.zero
        begun = Happening(at, Lane(lane), self.hide(text)[:LONGEST], lasts=True)
        with self._lock:
            self._keep(begun)
        return begun

    def over(self, begun: Happening) -> None:
        """Note that it is over now; a second call changes nothing."""
        if begun.lasts:
            begun.lasts, begun.end = False, self.clock() - self.zero

    @contextmanager
    def during(self, lane: Lane | str, text: str) -> Iterator[Happening]:
        """Note that something lasts as long as the body; an error that leaves the body marks it as failed."""
        begun = self.begin(lane, text)
        try:
            yield begun
        except BaseException:
            begun.kind = begun.kind or Kind.FAILED
            raise
        finally:
            self.over(begun)

    def keep_secret(self, text: str | None) -> None:
        """Never show this word, such as a password."""
        if text and len(text) >= SHORTEST_SECRET and text not in self._secrets:
            self._secrets.append(text)

    def hide(self, text: str) -> str:
        """The text without what is to be kept secret."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    @property
    def happenings(self) -> list[Happening]:
        """All that is kept, by time."""
        with self._lock:
            return sorted((one for row in self._lanes.values() for one in row), key=lambda one: one.at)

    def _keep(self, new: Happening) -> None:
        row = self._lanes[new.lane]
        if len(row) == MOST:
            self.left_out[new.lane] += 1
        row.append(new)


def _goes_on(before: Happening, new: Happening) -> bool:
    """Whether the same happened again, and so soon that the two are one."""
    ended = before.at if before.end is None else before.end
    alike = (before.text, before.kind) == (new.text, new.kind)
    return alike and not before.lasts and new.at - ended <= SOON
