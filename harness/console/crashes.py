"""The table of console checks: what a line of the console means when it is not a good one.

The first check that fits a line wins, so what is special comes before what is general. ``checks/`` has the rows.
"""

from __future__ import annotations

import re

from harness.console.benign import is_benign
from harness.console.check import Check, Severity
from harness.console.checks import disks, firmware, gokrazy
from harness.console.checks import kernel as of_kernel

CHECKS: tuple[Check, ...] = (*of_kernel.CHECKS, *disks.CHECKS, *gokrazy.CHECKS, *firmware.CHECKS)

CAUSES = {one.name: one.cause for one in CHECKS if one.cause}
"""Findings that end no wait by themselves, and yet explain what fails after them; and what to do about it."""

OF_BUSY_HOST = frozenset(one.name for one in CHECKS if one.of_busy_host)
"""Findings that show no fault of the guest where its host was too busy."""

OPEN_ENDED = frozenset({"silence", "reboot-loop"})
"""Findings that come from no single line, and can be allowed like the checks."""


def allowable() -> frozenset[str]:
    """Return what a test may allow."""
    return frozenset(one.name for one in CHECKS) | OPEN_ENDED


def classify(text: str, *, kernel: bool | None, firmware: bool) -> tuple[Check, re.Match[str]] | None:
    """Return the check that this line fits, and how; None if it is an ordinary or a benign line.

    ``kernel`` says whether the kernel printed it, None where that cannot be known; ``firmware`` whether none runs.
    """
    for one in CHECKS:
        if one.firmware and not firmware:
            continue
        if None not in (one.kernel, kernel) and one.kernel != kernel:
            continue
        match = one.regex.search(text)
        if match is None or (one.severity is Severity.FATAL and not one.firmware and _is_quoted(match, kernel)):
            continue
        return None if is_benign(text) else (one, match)
    return None


def _is_quoted(match: re.Match[str], kernel: bool | None) -> bool:
    """Whether the words stand inside of a line: a kernel begins its lines with what is fatal.

    With times they follow the time; a kernel that dies can begin its line within another one.
    """
    return match.start() > 0 and not (kernel and match.string.endswith("] ", 0, match.start()))
