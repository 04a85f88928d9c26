"""Checks of a user's own, and checks that a user allows: read from an ini file, a command line or a hook."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from harness.console.check import Check, Severity
from harness.console.crashes import CHECKS, OPEN_ENDED
from harness.errors import OptionError

EXAMPLE = r"modem-lost: fatal: modem: no carrier on (\S+) -> the modem lost its carrier on {1}"
"""How a row is written."""

_ROW = re.compile(
    r"\s*(?P<name>[^:]*?)\s*:\s*(?P<severity>[^:]*?)\s*:\s*(?P<pattern>.*?)(?:\s+->\s+(?P<meaning>.*?))?\s*"
)
_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_SHOWN = "{0}"


def own_check(row: str) -> Check:
    """Return the check that a row describes, ``NAME: SEVERITY: PATTERN -> MEANING``; raises OptionError.

    What it finds counts wherever it stands in a line, and whoever said it.
    """
    found = _ROW.fullmatch(row)
    if found is None:
        raise OptionError(f"{row!r} is no console check", hint=f"write it like this: {EXAMPLE}")
    severities = [one.value for one in Severity]
    if found["severity"] not in severities:
        raise OptionError(
            f"the console check {found['name']!r} is {found['severity']!r}",
            hint=f"choose from: {', '.join(severities)}",
        )
    try:
        return Check(
            found["name"],
            found["pattern"],
            found["meaning"] or _SHOWN,
            Severity(found["severity"]),
            anywhere=True,
        )
    except re.error as error:
        raise OptionError(
            f"the pattern {found['pattern']!r} of the console check {found['name']!r} cannot be read: {error}",
            hint=r"write a regular expression of Python; put \ before a . ( [ * + ? that stands for itself",
        ) from None


def own_checks(checks: Iterable[object]) -> tuple[Check, ...]:
    """Return the checks as they are, each of them fit for the table; raises OptionError."""
    taken = {one.name for one in CHECKS} | OPEN_ENDED
    fit: list[Check] = []
    for one in checks:
        if not isinstance(one, Check):
            raise OptionError(f"{one!r} is no console check", hint="make it with harness.console.check.Check")
        if not _NAME.fullmatch(one.name):
            raise OptionError(
                f"a console check cannot be named {one.name!r}", hint="write small letters, digits and hyphens"
            )
        if one.name in taken:
            raise OptionError(f"there are two console checks named {one.name!r}", hint="give it another name")
        if one.regex.search("") is not None:
            raise OptionError(
                f"the pattern {one.pattern!r} of the console check {one.name!r} fits every line",
                hint="write what only the line has that it is to find",
            )
        try:
            one.meaning.format(*[""] * (one.regex.groups + 1))
        except (IndexError, KeyError, ValueError):
            raise OptionError(
                f"the meaning {one.meaning!r} of the console check {one.name!r} cannot be filled in",
                hint="{0} is what the pattern fitted, {1} its first group; write {{ and }} for braces",
            ) from None
        taken.add(one.name)
        fit.append(one)
    return tuple(fit)


def excuses(rows: Sequence[str]) -> dict[str, str]:
    """Return the reason for each check that is allowed, from rows ``NAME: REASON``; raises OptionError."""
    found: dict[str, str] = {}
    for row in rows:
        name, _, reason = (part.strip() for part in row.partition(":"))
        if not name or not reason:
            raise OptionError(
                f"{row!r} does not say why the console check may fit",
                hint="write its name and the reason: oom-kill: the browser is too big for this board",
            )
        found[name] = reason
    return found
