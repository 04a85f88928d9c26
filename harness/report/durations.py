"""How long each test took at its last run, to say beforehand how long a run will take."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.report.recorder import Outcome

GUESS = 15.0
"""Seconds for a test that was never seen: between a warm start and a cold boot under TCG."""


def load(folder: Path) -> dict[str, float]:
    """Seconds by test; empty when nothing was kept."""
    try:
        found = json.loads((folder / "durations.json").read_text())
        return {str(name): float(seconds) for name, seconds in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def keep(folder: Path, outcomes: Iterable[Outcome]) -> None:
    """Remember what ran; a folder that cannot be written costs the next run its estimate, nothing else."""
    ran = {one.nodeid: round(one.seconds, 1) for one in outcomes if one.outcome in ("passed", "failed")}
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "durations.json").write_text(json.dumps({**load(folder), **ran}, indent=1, sort_keys=True))


def estimate(names: Iterable[str], known: Mapping[str, float]) -> str:
    """Say how many tests there are and about how long they take."""
    names = list(names)
    seconds = sum(known.get(name, GUESS) for name in names)
    guessed = sum(name not in known for name in names)
    basis = (
        "guessed" if guessed == len(names) else f"{guessed} of them guessed" if guessed else "as they last took"
    )
    return f"{len(names)} test{'' if len(names) == 1 else 's'}, about {max(1, round(seconds / 60))} min ({basis})"
