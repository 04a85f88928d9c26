"""The table of console checks: what a line of the console means when it is not a good one.

The first check that fits a line wins, so what is special comes before what is general. ``checks/`` has the rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from harness.console.benign import is_benign
from harness.console.check import Check
from harness.console.checks import disks, firmware, gokrazy
from harness.console.checks import kernel as of_kernel
from harness.console.literals import SHORTEST
from harness.errors import OptionError

CHECKS: tuple[Check, ...] = (*of_kernel.CHECKS, *disks.CHECKS, *gokrazy.CHECKS, *firmware.CHECKS)

OF_BUSY_HOST = frozenset(one.name for one in CHECKS if one.of_busy_host)
"""Findings that show no fault of the guest where its host was too busy."""

OPEN_ENDED = frozenset({"silence", "reboot-loop", "unasked-restart"})
"""Findings that come from no single line, and can be allowed like the checks."""


class Table:
    """The checks of a run: those of the project, and before them a user's own."""

    def __init__(self, own: Sequence[Check] = (), *, excused: Mapping[str, str] | None = None) -> None:
        """``excused`` gives a reason for each check that may fit in every test; raises OptionError."""
        self.checks = (*own, *CHECKS)
        self.excused = dict(excused or {})
        self._by_word: dict[str, list[int]] = {}
        for number, one in enumerate(self.checks):
            for word in one.words:
                self._by_word.setdefault(word, []).append(number)
        self._words = tuple((word, word.encode()) for word in self._by_word)
        self._wordless = [number for number, one in enumerate(self.checks) if not one.words]
        self.must_know(self.excused)

    @property
    def names(self) -> frozenset[str]:
        """What a test may allow."""
        return frozenset(one.name for one in self.checks) | OPEN_ENDED

    def must_know(self, names: Iterable[str]) -> None:
        """Raise OptionError for a name that is no check's."""
        unknown = sorted(set(names) - self.names)
        if unknown:
            raise OptionError(
                f"there is no console check named {', '.join(unknown)}",
                hint=f"choose from: {', '.join(sorted(self.names))}",
            )

    def classify(self, text: str, *, kernel: bool | None, firmware: bool) -> tuple[Check, re.Match[str]] | None:
        """Return the check that this line fits, and how; None if it is an ordinary or a benign line.

        ``kernel`` says whether the kernel printed it, None where that cannot be known; ``firmware`` whether none
        runs.
        """
        numbers = self._wordless
        for word in self._words_of(text):
            numbers = numbers + self._by_word[word]
        for one in [self.checks[number] for number in sorted(numbers)]:
            if one.firmware and not firmware:
                continue
            if None not in (one.kernel, kernel) and one.kernel != kernel:
                continue
            match = one.regex.search(text)
            if match is None or (one.begins_line and _is_quoted(match, kernel)):
                continue
            return None if is_benign(text) else (one, match)
        return None

    def _words_of(self, text: str) -> list[str]:
        if len(text) < SHORTEST:
            return []
        if text.isascii():
            return [word for word, _ in self._words if word in text]
        # Python looks for a narrow word in a wide string very slowly.
        data = text.encode()
        return [word for word, encoded in self._words if encoded in data]


def _is_quoted(match: re.Match[str], kernel: bool | None) -> bool:
    """Whether the words stand inside of a line: a kernel begins its lines with what is fatal.

    With times they follow the time; a kernel that dies can begin its line within another one.
    """
    return match.start() > 0 and not (kernel and match.string.endswith("] ", 0, match.start()))
