"""How long each test took at its last run: to say how long a run will take, and to deal out the longest first."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from harness.package_data import scenarios_folder
from harness.run.outcome import Outcome

FILE = "durations.json"
GUESS = 15.0
"""Seconds for a test that was never seen: between a warm start and a cold boot under TCG."""


class Known(Mapping[str, float]):
    """Seconds by test: as it last took here, else what a scenario of that name took where it was written."""

    def __init__(self, here: Mapping[str, float], typical: Mapping[str, float]) -> None:
        self.here = here
        self.typical = typical

    def __getitem__(self, nodeid: str) -> float:
        found = self.here.get(nodeid)
        return self.typical[short(nodeid)] if found is None else found

    def __iter__(self) -> Iterator[str]:
        return iter({**self.typical, **self.here})

    def __len__(self) -> int:
        return len({**self.typical, **self.here})


def short(nodeid: str) -> str:
    """The test without its folders; its parameters may have a path among them."""
    file, colons, test = nodeid.partition("::")
    return f"{PurePosixPath(file).name}{colons}{test}"


def load(folder: Path) -> Known:
    """What is known of the tests whose reports go to ``folder``."""
    # A clone has the harness's own tests as well; an installed package has only the scenarios.
    own_tests = Path(__file__).parent.parent / "tests" / FILE
    return Known(_read(folder / FILE), {**_read(own_tests), **_read(scenarios_folder() / FILE)})


def _read(path: Path) -> dict[str, float]:
    try:
        found = json.loads(path.read_text())
        return {str(name): float(seconds) for name, seconds in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def keep(folder: Path, outcomes: Iterable[Outcome]) -> None:
    """Remember what ran; a folder that cannot be written costs the next run its estimate, nothing else."""
    ran = {one.nodeid: round(one.seconds, 1) for one in outcomes if one.outcome in ("passed", "failed")}
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**_read(folder / FILE), **ran}, indent=1, sort_keys=True)
        (folder / FILE).write_text(text)


def estimate(names: Iterable[str], known: Mapping[str, float]) -> str:
    """Say how many tests there are and about how long they take."""
    names = list(names)
    seconds = sum(known.get(name, GUESS) for name in names)
    guessed = sum(name not in known for name in names)
    basis = (
        "guessed" if guessed == len(names) else f"{guessed} of them guessed" if guessed else "as they took before"
    )
    return f"{len(names)} test{'' if len(names) == 1 else 's'}, about {max(1, round(seconds / 60))} min ({basis})"
