"""What gokrazy's init says on the console of the watchdog that it feeds."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.console.lines import Line

_FOUND = re.compile(r"found hardware watchdog .* with timeout (\S+?), pinging")
"""Source: gokrazy.go, ``runWatchdog``; the time is Go's, such as 30s."""
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def watchdog_seconds(lines: Iterable[Line]) -> float | None:
    """How long the watchdog waits that init feeds, by what it said last; None where it said nothing of one."""
    found = [match[1] for line in lines if (match := _FOUND.search(line.text))]
    return go_seconds(found[-1]) if found else None


def go_seconds(text: str) -> float:
    """The seconds of a duration as Go writes it, such as 1m30s; raises ValueError."""
    parts = re.findall(r"([\d.]+)(h|ms|m|s)", text)
    if not parts:
        raise ValueError(f"{text!r} is no duration")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
