"""What the owner of an instance says of its services: which must run, and which may do otherwise here."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum

from harness.errors import OptionError


class Fate(Enum):
    """What is to become of a service."""

    RUNS = "runs"
    """It must run, and never have fallen or left."""
    ENDS = "ends"
    """It must have left by itself, with status 0 or 125."""
    RESTARTS = "restarts"
    """It may fall and be started again, however often."""


@dataclass(frozen=True)
class Expectations:
    """The fate of each service that was named, by its path or the last part of it."""

    fates: dict[str, Fate] = field(default_factory=dict)

    def of(self, path: str) -> Fate | None:
        """The fate of the service with this path, None where nothing was said."""
        return self.fates.get(path) or self.fates.get(path.rsplit("/", 1)[-1])

    def check(self, paths: Collection[str], *, where: str) -> None:
        """Raise OptionError for a name that none of the image's services has."""
        known = {*paths, *(path.rsplit("/", 1)[-1] for path in paths)}
        wrong = [name for name in self.fates if name not in known]
        if wrong:
            raise OptionError(
                f"--gk-must-run or --gk-expect names {' and '.join(repr(name) for name in wrong)}, "
                "and the image has no such service",
                where=where,
                hint=f"its services: {', '.join(paths) or 'none'}",
            )


def expectations(must_run: Sequence[str], expect: Sequence[str]) -> Expectations:
    """Read both options; raises OptionError. ``expect`` holds ``NAME: FATE``, as the command or a file has it."""
    text = re.sub(r"\s*:\s*", ":", " ".join(expect)).replace(",", " ")
    fates: dict[str, Fate] = {}
    for word in text.split():
        name, _, fate = word.rpartition(":")
        if not name or fate not in {one.value for one in Fate}:
            raise OptionError(
                f"--gk-expect does not know {word!r}",
                hint="write a service and what it does, such as wifi: restarts (or ends, or runs)",
            )
        _say(fates, name, Fate(fate))
    for name in (part for item in must_run for part in item.replace(",", " ").split()):
        _say(fates, name, Fate.RUNS)
    return Expectations(fates)


def _say(fates: dict[str, Fate], name: str, fate: Fate) -> None:
    if fates.setdefault(name, fate) is not fate:
        raise OptionError(
            f"{name!r} is expected to do two things: {fates[name].value} and {fate.value}", hint="leave one out"
        )
