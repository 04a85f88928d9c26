"""What a run would be: each test with its time, what would be left out and why, and the time for the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from harness.run import durations


def listing(tests: Mapping[str, str], known: Mapping[str, float]) -> list[str]:
    """Lines for ``--gk-list``; ``tests`` has a reason for each that would be skipped, "" for the others."""
    wanted = [name for name, reason in tests.items() if not reason]
    lines = [f"{known.get(name, durations.GUESS):6.1f} s  {name}" for name in wanted]
    left_out = Counter(reason for reason in tests.values() if reason)
    lines += [f"left out {count:3}x  {reason}" for reason, count in sorted(left_out.items())]
    return [*lines, durations.estimate(wanted, known)]
