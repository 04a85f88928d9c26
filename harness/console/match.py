"""Match: what was found on the console, and where. Mark: a position in its recording."""

from __future__ import annotations

import re
from dataclasses import dataclass

Pattern = str | re.Pattern[str]


@dataclass(frozen=True)
class Match:
    """What ``expect`` found."""

    index: int
    """Which of the patterns."""
    match: re.Match[str]
    before: str
    """What came before it, since the match before."""

    @property
    def text(self) -> str:
        """The text that matched."""
        return self.match[0]

    def group(self, group: int | str = 0) -> str:
        """The text of a group; "" for one that took no part."""
        return self.match[group] or ""


@dataclass(frozen=True, order=True)
class Mark:
    """A position in the recording, in bytes."""

    offset: int
