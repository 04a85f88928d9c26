"""Charts: boot times by board and phase, against those of earlier runs, as numbers that a template draws."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.lab.journal import BootTimes
from harness.report.summary import COLUMNS, Key, medians

WIDTH = 1000
"""Units of a bar, in the drawing's own measure."""
COLD = "cold"
NOTABLE = 0.1
"""A change of the median that is worth a colour, as a share of it."""
_SHOWN = 30
"""Earlier runs in a line."""


@dataclass
class Charts:
    """The rows of the chart and what they have in common."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    phases: list[tuple[int, str]] = field(default_factory=list)
    """Those that were reached: which one it is of the columns, and its title."""
    ticks: list[str] = field(default_factory=list)
    compared: int = 0
    """How many earlier runs there are."""


def charts(
    boots: Sequence[BootTimes],
    earlier: Sequence[Mapping[Key, Mapping[str, float]]] = (),
    limits: Mapping[str, float] | None = None,
) -> Charts:
    """The chart of these boots; ``earlier`` has the medians of other runs, the oldest first.

    ``limits`` are the seconds in which a board must be ready after a cold start.
    """
    now = {key: phases for key, phases in medians(boots).items() if phases}
    if not now:
        return Charts()
    every: dict[Key, list[float]] = defaultdict(list)
    for board, start, phases in boots:
        # As the bar, which ends at the last of its phases: others may come later.
        if reached := [at for phase, at in phases.items() if phase in COLUMNS]:
            every[board, start].append(max(reached))
    past = {key: [max(run[key].values()) for run in earlier if run.get(key)][-_SHOWN:] for key in now}
    step, count = _scale(max(max([*every[key], *past[key]]) for key in now))
    keys = sorted(now, key=lambda key: (key[1] != COLD, key[1], key[0]))
    rows = [_row(key, now[key], every[key], past[key], WIDTH / (step * count)) for key in keys]
    for key, row in zip(keys, rows, strict=True):
        if key[1] == COLD and (limit := (limits or {}).get(key[0])):
            row["times"] += f", limit {limit:.0f} s"
    return Charts(
        rows=rows,
        phases=[
            (number, title)
            for number, (phase, title) in enumerate(COLUMNS.items(), 1)
            if any(phase in phases for phases in now.values())
        ],
        ticks=[f"{step * number:g} s" for number in range(count + 1)],
        compared=max(map(len, past.values())),
    )


def _row(
    key: Key, phases: Mapping[str, float], every: Sequence[float], past: Sequence[float], scale: float
) -> dict[str, Any]:
    at, parts = 0.0, []
    numbers = {phase: number for number, phase in enumerate(COLUMNS, 1)}
    for phase, seconds in sorted(phases.items(), key=lambda row: row[1]):
        took = seconds - at
        parts.append(
            {
                "number": numbers[phase],
                "x": f"{at * scale:.1f}",
                "width": f"{max(took * scale - 1, 0.5):.1f}",
                "title": f"{COLUMNS[phase]}: after {seconds:.1f} s",
            }
        )
        at = seconds
    before = statistics.median(past) if past else None
    change = at / before - 1 if before else 0.0
    count = len(every)
    return {
        "board": key[0],
        "start": key[1],
        "times": f"{count} {'start' if count == 1 else 'starts'}",
        "said": f"{key[0]}, {key[1]}: " + ", ".join(f"{COLUMNS[one]} {phases[one]:.1f} s" for one in phases),
        "parts": parts,
        "spread": (f"{min(every) * scale:.1f}", f"{max(every) * scale:.1f}") if count > 1 else None,
        "before": f"{before * scale:.1f}" if before is not None else None,
        "total": f"{at:.1f} s",
        "change": f"{100 * change:+.0f} %" if before else "",
        "tone": "" if abs(change) < NOTABLE else "worse" if change > 0 else "better",
        "line": _line([*past, at]) if past else None,
    }


def _scale(most: float) -> tuple[float, int]:
    """A round step of seconds, and how many of them there are up to ``most``: three to seven."""
    step = 10 ** math.floor(math.log10(most / 3)) if most > 0 else 1.0
    for factor in (1, 2, 5, 10):
        if most / (step * factor) <= 7:
            step *= factor
            break
    return step, max(1, math.ceil(most / step))


def _line(values: Sequence[float]) -> dict[str, Any]:
    """Points of a line from left to right, in a drawing of 100 by 24; its ground is 0 s."""
    most = max(values) or 1.0
    step = 100 / max(len(values) - 1, 1)
    points = " ".join(f"{number * step:.1f},{22 - 20 * value / most:.1f}" for number, value in enumerate(values))
    return {"points": points, "count": len(values)}
