"""Watch: when files of an instance change, it is built again and the device updated to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from harness.build.instance import load_instance
from harness.build.sources import States, changed, places, states
from harness.errors import HarnessError
from harness.hand.commands import carry_out, parse
from harness.hand.hand import Hand

EACH = 1.0
"""Seconds between two looks: a stat of each file, which takes some milliseconds."""
NAMED = 3
"""Files that a line names."""


class Watch:
    """Looks at an instance from the moment that this is made; raises ConfigError for one that cannot be read."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._places = places(load_instance(source))
        self._known = states(self._places)

    def follow(self, hand: Hand, say: Callable[[str], None], over: threading.Event) -> None:
        """Update the device after each change, until ``over`` is set; a change of many files counts once."""
        latest: States = self._known
        while not over.wait(EACH):
            now = states(self._places)
            settled, latest = now == latest, now
            files = changed(self._known, now)
            if files and settled:
                self._known = now
                say(f"gokrazy: {_named(files)} changed: {self._update(hand)}")

    def _update(self, hand: Hand) -> str:
        """What came of it, in one line, or with what the compiler says."""
        try:
            # There may be other places now. What is wrong with them, the build says better.
            self._places = places(load_instance(self._source))
            self._known = states(self._places)
            return carry_out(hand, parse(["update", self._source], Path.cwd()))
        except HarnessError as error:
            return str(error)


def _named(files: list[Path]) -> str:
    names = [path.name for path in files[:NAMED]]
    return ", ".join([*names, f"{len(files) - NAMED} more"] if len(files) > NAMED else names)
