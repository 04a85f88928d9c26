"""Figures: what a benchmark finds, and how two sides are measured in turn."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


class Failed(Exception):
    """One side of a benchmark did not do what is measured: there is no figure."""


@dataclass(frozen=True)
class Result:
    """One figure: the median of what was measured, the lowest and the highest; ``goal`` in words, "" for none."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    goal: str
    met: bool

    def __str__(self) -> str:
        spread = f"({self.low} to {self.high})" if self.low != self.high else ""
        goal = f"goal: {self.goal}: {'met' if self.met else 'NOT MET'}" if self.goal else ""
        return f"{self.name:50} {self.value:8} {spread:20} {self.unit:14} {goal}".rstrip()


def measured(
    name: str, values: Sequence[float], unit: str, goal: str = "", met: Callable[[float], bool] = lambda _: True
) -> Result:
    """What was measured, once or more; ``met`` judges the median."""
    median = statistics.median(values)
    return Result(name, round(median, 3), round(min(values), 3), round(max(values), 3), unit, goal, met(median))


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


def run_of(
    command: Sequence[str], *, of: str, passed: int | None = None, cwd: Path | None = None
) -> tuple[float, str]:
    """Seconds that a run of tests takes, and what it printed.

    Raises Failed unless all of them passed, and so many where that is known.
    """
    began = time.monotonic()
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    took = time.monotonic() - began
    if done.returncode != 0 or (passed is not None and not re.search(rf"\b{passed} passed", done.stdout)):
        raise Failed(f"{of} did not pass:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return took, done.stdout


def spread(values: list[float]) -> str:
    """Median, and the lowest and highest."""
    return f"{statistics.median(values):.3f} s ({min(values):.3f} to {max(values):.3f})"


def note(line: str) -> None:
    """Tell a reader who watches; the results go to standard output."""
    print(line, file=sys.stderr, flush=True)
