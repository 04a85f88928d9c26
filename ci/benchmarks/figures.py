"""Figures: what a benchmark finds, and how two sides are measured in turn."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass


class Failed(Exception):
    """One side of a benchmark did not do what is measured: there is no figure."""


@dataclass(frozen=True)
class Result:
    """One figure; ``goal`` says in words what it is held to, "" when to nothing."""

    name: str
    value: float
    unit: str
    goal: str
    met: bool

    def __str__(self) -> str:
        goal = f"goal: {self.goal}: {'met' if self.met else 'NOT MET'}" if self.goal else ""
        return f"{self.name:50} {self.value:8} {self.unit:14} {goal}".rstrip()


def measured(name: str, value: float, unit: str) -> Result:
    """A figure that is held to nothing."""
    return Result(name, round(value, 3), unit, "", met=True)


def interleaved(
    pairs: int, first: Callable[[], float], second: Callable[[], float]
) -> Iterator[tuple[float, float]]:
    """Measure both sides in turn; which goes first alternates."""
    for number in range(pairs):
        if number % 2:
            b, a = second(), first()
        else:
            a, b = first(), second()
        note(f"  pair {number + 1}: {a:.3f} s, {b:.3f} s")
        yield a, b


def spread(values: list[float]) -> str:
    """Median, and the lowest and highest."""
    return f"{statistics.median(values):.3f} s ({min(values):.3f} to {max(values):.3f})"


def note(line: str) -> None:
    """Tell a reader who watches; the results go to standard output."""
    print(line, file=sys.stderr, flush=True)
