"""The table of console checks: what a line of the console means when it is not a good one.

The first check that fits a line wins, so what is special comes before what is general. ``checks/`` has the rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from harness.console.benign import is_benign
from harness.console.check import Check
from harness.console.checks import disks, firmware, gokrazy, hardware
from harness.console.checks import kernel as of_kernel
from harness.console.literals import SHORTEST
from harness.errors import OptionError

CHECKS: tuple[Check, ...] = (
    *of_kernel.CHECKS,
    *disks.CHECKS,
    *hardware.CHECKS,
    *gokrazy.CHECKS,
    *firmware.CHECKS,
)

OF_BUSY_HOST = frozenset(one.name for one in CHECKS if one.of_busy_host)
"""Findings that show no fault of the guest where its host was too busy."""

TO_DO = {
    "silence": "look at its last lines: what comes next hangs, or is not heard on this port",
    "reboot-loop": "look at the last cause; without one, try an older kernel (--gk-kernel MODULE@VERSION)",
    "unasked-restart": "look for a watchdog that is not fed, a program that restarts it, or a kernel that faults",
}
"""What to do about the findings that come from no single line; they can be allowed like the checks."""
OPEN_ENDED = frozenset(TO_DO)


MOST_KNOWN = 1024
LONGEST_KNOWN = 256
"""So many texts are remembered, of at most so many characters, with the checks that they may fit."""


_OF_TIME = re.compile(r"[\[ .\dTC]+(?:\]|$)")
"""The beginning of a word that reaches into a kernel's time."""


class _Sieve:
    """The checks for the lines of one speaker, and the words of which a line that fits any of them has one."""

    def __init__(self, checks: Iterable[Check], *, stamped: bool) -> None:
        """``stamped``: each line begins with the kernel's time in brackets."""
        self._checks = tuple(checks)
        self._wordless = {number for number, one in enumerate(self._checks) if not one.words}
        words = {word for one in self._checks for word in one.words}
        self._numbers: dict[str, set[int]] = {}
        for number, one in enumerate(self._checks):
            for word in one.words:
                # A line that has a word has those within it as well: the shortest is enough.
                within = min((other for other in words if other in word), key=lambda other: (len(other), other))
                self._numbers.setdefault(within, set()).add(number)
        self._words = tuple(self._numbers)
        # A check of a user's own may ask for a time.
        self._is_stamped = stamped and not any(map(_OF_TIME.match, self._words))
        self._encoded = tuple((word, word.encode()) for word in self._words)
        self._known: dict[str, Sequence[Check]] = {}

    def let_through(self, text: str) -> Sequence[Check]:
        """Return the checks that the line may fit, the first row of the table first."""
        # Who floods a console says the same again and again, at another time.
        said = text[text.find("]") + 1 :] if self._is_stamped else text
        found = self._known.get(said)
        if found is None:
            numbers = self._wordless.union(*(self._numbers[word] for word in self._words_of(text)))
            found = tuple(self._checks[number] for number in sorted(numbers))
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            if len(said) <= LONGEST_KNOWN:
                self._known[said] = found
        return found

    def _words_of(self, text: str) -> list[str]:
        if len(text) < SHORTEST:
            return []
        if text.isascii():
            return [word for word in self._words if word in text]
        # Python looks for a narrow word in a wide string very slowly.
        data = text.encode()
        return [word for word, encoded in self._encoded if encoded in data]


class Table:
    """The checks of a run: those of the project, and before them a user's own."""

    def __init__(self, own: Sequence[Check] = (), *, excused: Mapping[str, str] | None = None) -> None:
        """``excused`` gives a reason for each check that may fit in every test; raises OptionError."""
        self.checks = (*own, *CHECKS)
        self.excused = dict(excused or {})
        self._sieves = {
            (kernel, firmware): _Sieve(
                (
                    one
                    for one in self.checks
                    if (firmware or not one.firmware) and (None in (one.kernel, kernel) or one.kernel == kernel)
                ),
                stamped=kernel is True,
            )
            for kernel in (True, False, None)
            for firmware in (True, False)
        }
        of_kernel_alone = frozenset(map(id, of_kernel.CHECKS))
        self._of_others = _Sieve(
            (one for one in self.checks if not (one.firmware or one.kernel or id(one) in of_kernel_alone)),
            stamped=False,
        )
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

    def classify(
        self, text: str, *, kernel: bool | None, firmware: bool, timed: bool = False
    ) -> tuple[Check, re.Match[str]] | None:
        """Return the check that this line fits, and how; None if it is an ordinary or a benign line.

        ``kernel`` says whether the kernel printed it, None where that cannot be known; ``firmware`` whether none
        runs; ``timed`` whether one runs of which it is known that it prints times, so that all else is others'.
        """
        sieve = self._of_others if timed and kernel is False else self._sieves[kernel, firmware]
        for one in sieve.let_through(text):
            match = one.regex.search(text)
            if match is None or (one.begins_line and _is_quoted(match, kernel)):
                continue
            return None if is_benign(text) else (one, match)
        return None


def _is_quoted(match: re.Match[str], kernel: bool | None) -> bool:
    """Whether the words stand inside of a line: a kernel begins its lines with what is fatal.

    With times they follow the time; a kernel that dies can begin its line within another one.
    """
    return match.start() > 0 and not (kernel and match.string.endswith("] ", 0, match.start()))
