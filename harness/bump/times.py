"""Whether one side is slower, from pairs that were measured one after the other.

Each pair gives a ratio, new to old: what disturbs the host for longer than a pair disturbs both sides of it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

LEAST, MOST = 4, 9
"""Pairs: so many before anything is said, and so many at most."""
CLOSE = 1.06
"""A median this close to 1 needs no more pairs."""
DECIDED = 8
"""Pairs that a difference takes."""
WORTH = 1.10
"""A difference below this ratio is none that is worth a word."""

Judgement = Literal["same", "slower", "faster", "open"]


@dataclass(frozen=True)
class Ratio:
    """What the pairs say."""

    median: float
    low: float
    high: float
    pairs: int
    judgement: Judgement

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f}, {self.pairs} pairs)"


def ratio(old: Sequence[float], new: Sequence[float]) -> Ratio:
    """Judge pairs of seconds, both above 0.

    A side is called slower where the median ratio is worth a word, and eight pairs agree. Of nine pairs of equal
    sides, eight agree by chance in one of fifty runs; their median is rarely worth a word then. The sides are
    called the same as soon as the median is close to 1.
    """
    ratios = sorted(b / a for a, b in zip(old, new, strict=True))
    count = len(ratios)
    median = statistics.median(ratios)
    agree = count - count // 9
    slower = sum(one > 1 for one in ratios) >= agree
    faster = sum(one < 1 for one in ratios) >= agree
    judgement: Judgement
    if count < LEAST:
        judgement = "open"
    elif 1 / WORTH < median < WORTH or not (slower or faster):
        # Close to the edge, or in disagreement, more pairs may still tell.
        judgement = "same" if count >= MOST or 1 / CLOSE < median < CLOSE else "open"
    elif count < DECIDED:
        judgement = "open"
    else:
        judgement = "slower" if slower else "faster"
    return Ratio(median, ratios[0], ratios[-1], count, judgement)


@contextmanager
def timed(took: dict[str, float], what: str) -> Iterator[None]:
    """Add the seconds of this host that the block takes."""
    began = time.monotonic()
    try:
        yield
    finally:
        took[what] = took.get(what, 0.0) + time.monotonic() - began
