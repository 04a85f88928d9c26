"""Differences that somebody accepted, each with a reason and the day on which that ends.

The file is TOML:

    [[accepted]]
    what = "boot file system"
    board = "virt"                   # every board where it is left out
    contains = "82.1 MiB"            # a part of the reason; any reason where it is left out
    reason = "the kernel has two more drivers, see our issue 12"
    until = 2027-01-31
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.bump.compare import Row, Verdict
from harness.errors import OptionError

KEYS = ("what", "board", "contains", "reason", "until")
NEEDED = ("what", "reason", "until")


@dataclass(frozen=True)
class Accepted:
    """One difference that may be."""

    what: str
    reason: str
    until: datetime.date
    """The last day on which it is accepted."""
    board: str = ""
    contains: str = ""

    def covers(self, row: Row, today: datetime.date) -> bool:
        """Whether a row is this difference, on a day on which it is still accepted."""
        same = self.what == row.what and self.board in ("", row.board) and self.contains in row.why
        return same and today <= self.until


def read(path: Path) -> tuple[Accepted, ...]:
    """The differences in a file; raises OptionError that says what is wrong with which."""
    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(path, f"it cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except tomllib.TOMLDecodeError as error:
        raise _wrong(path, f"it is no TOML: {error}") from None
    entries = said.get("accepted", [])
    if set(said) - {"accepted"} or not isinstance(entries, list):
        raise _wrong(path, "it has something else than [[accepted]]")
    return tuple(_entry(path, number, entry) for number, entry in enumerate(entries, 1))


def _entry(path: Path, number: int, entry: object) -> Accepted:
    if not isinstance(entry, dict):
        raise _wrong(path, f"entry {number} is no table")
    if unknown := sorted(set(entry) - set(KEYS)):
        raise _wrong(path, f"entry {number} has {', '.join(unknown)}; known are {', '.join(KEYS)}")
    if lack := [key for key in NEEDED if not entry.get(key)]:
        raise _wrong(path, f"entry {number} lacks {', '.join(lack)}")
    until = entry["until"]
    if isinstance(until, datetime.datetime) or not isinstance(until, datetime.date):
        raise _wrong(path, f"entry {number}: until is a day, such as 2027-01-31, without quotes")
    texts = {key: entry[key] for key in KEYS if key in entry and key != "until"}
    if not all(isinstance(value, str) for value in texts.values()):
        raise _wrong(path, f"entry {number}: all but until are texts")
    return Accepted(until=until, **texts)


def _wrong(path: Path, what: str) -> OptionError:
    return OptionError(f"--accept: {what}", where=str(path), hint="docs/bump.md shows such a file")


def accepted(rows: Iterable[Row], known: Sequence[Accepted], *, today: datetime.date | None = None) -> list[Row]:
    """The rows, with those that are worse and accepted marked so; today is that of UTC."""
    day = today or datetime.datetime.now(datetime.UTC).date()

    def marked(row: Row) -> Row:
        if row.verdict is not Verdict.WORSE:
            return row
        found = next((one for one in known if one.covers(row, day)), None)
        return replace(row, accepted=f"{found.reason}, until {found.until}") if found else row

    return [marked(row) for row in rows]
