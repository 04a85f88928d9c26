"""The table of console checks as docs/console.md shows it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.console.benign import BENIGN
from harness.console.check import Check
from harness.console.checks import disks, firmware, gokrazy, hardware
from harness.console.checks import kernel as of_kernel

_FILLED_IN = re.compile(r"\{\w+\}")
SPEAKERS = (
    ("The kernel", of_kernel.CHECKS),
    ("The kernel, of disks and file systems", disks.CHECKS),
    ("The kernel, of other hardware", hardware.CHECKS),
    ("gokrazy's init", gokrazy.CHECKS),
    ("Firmware and boot loaders", firmware.CHECKS),
)


def tables() -> str:
    """All checks with what they mean, in Markdown: a table for each of those who speak."""
    parts = [f"### {who}\n\n{_table(checks)}" for who, checks in SPEAKERS]
    excused = "\n".join(f"| {_code(one.pattern.pattern)} | {one.why} |" for one in BENIGN)
    parts.append(
        f"### As it should be\n\n| what looks like a finding and is none | why |\n| --- | --- |\n{excused}"
    )
    return "\n\n".join(parts)


def _table(checks: Iterable[Check]) -> str:
    rows = ["| check | | what it means | what to do | a line that it finds |", "| --- | --- | --- | --- | --- |"]
    for one in checks:
        meaning = "what the line says" if one.meaning == "{0}" else _FILLED_IN.sub("...", one.meaning)
        todo = one.hint or _FILLED_IN.sub("...", one.cause)
        rows.append(
            f"| `{one.name}` | {one.severity.value} | {_cell(meaning)} | {_cell(todo)} | {_code(one.example)} |"
        )
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _code(text: str) -> str:
    return f"`{_cell(text)}`"
