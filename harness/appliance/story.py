"""Story: the time line of an appliance with its boots and its console, as JSON, for the report of its test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from harness.appliance.time_line import Happening, Kind, Lane, TimeLine
from harness.console.check import Severity
from harness.console.console import Console
from harness.console.findings import Finding
from harness.console.lines import Line
from harness.console.phases import Boot, Cause, Phase

LAST = 90
"""Lines of the console that are shown from its end."""
BEFORE, AFTER = 12, 40
"""Lines that are shown around a finding."""
MOST_FINDINGS = 6
"""Findings whose lines are shown: the first ones."""
LONGEST = 300
"""Characters of one line."""
MOST_BYTES = 32_000
"""Bytes of all lines; the ones around findings come first."""
DEADLY = (Phase.PANIC, Phase.HALTED)


def story(time_line: TimeLine, console: Console) -> dict[str, Any]:
    """All that is known of the appliance's life; ``console`` may be closed. Times are seconds since it was made.

    ``happenings``  as ``Happening``, by time
    ``console``     [seconds, "kernel", "program", "mark", "gap" or "finding", text]
    ``left_out``    how many happenings were dropped, by lane

    The report adds ``limits``: the seconds in which the board must be ready.
    """
    findings = [one for one in console.findings if one.severity is not Severity.INFO]
    happenings = [
        *time_line.happenings,
        *_boots(console, time_line, findings),
        *_findings(findings, console, time_line),
    ]
    happenings.sort(key=lambda one: one.at)
    return {
        "began": round(time_line.began, 3),
        "happenings": [_as_json(one, time_line) for one in happenings],
        "console": [
            [round(at - time_line.zero, 3), who, time_line.hide(text)[:LONGEST]]
            for at, who, text in _shown(console, findings)
        ],
        "left_out": {lane.value: count for lane, count in time_line.left_out.items()},
    }


def _as_json(one: Happening, time_line: TimeLine) -> dict[str, Any]:
    # Of plain kinds only: it travels from worker processes.
    row = {**asdict(one), "at": round(one.at, 3), "text": time_line.hide(one.text)}
    row["lane"], row["kind"] = one.lane.value, one.kind.value
    row["end"] = round(one.end, 3) if one.end is not None else None
    usual = {"kind": "", "end": None, "times": 1, "lasts": False}
    return {name: value for name, value in row.items() if name not in usual or usual[name] != value}


def _boots(console: Console, time_line: TimeLine, findings: Sequence[Finding]) -> Iterator[Happening]:
    """A bar for each stretch of a boot up to the next phase, named after the phase that ends it."""
    died = {one.boot for one in findings if one.fatal}
    for boot in console.boots:
        zero = console.power_on_of(boot) - time_line.zero
        title = f"boot {boot.number} ({boot.cause.value})" + (f", slot {boot.slot}" if boot.slot else "")
        yield Happening(zero + boot.started, Lane.BOOT, title)
        if boot.cause is Cause.RESTORED:
            continue
        before = boot.started
        for phase, at in sorted(boot.at.items(), key=lambda row: row[1]):
            # A death that was provoked is what the test wanted.
            kind = Kind.USUAL if phase not in DEADLY else Kind.FATAL if boot.number in died else Kind.NOTED
            yield Happening(zero + before, Lane.BOOT, _until(boot, phase, at), kind, zero + at)
            before = at


def _until(boot: Boot, phase: Phase, at: float) -> str:
    return f"boot {boot.number}: until {phase.value}, {at - boot.started:.1f} s"


def _findings(findings: Sequence[Finding], console: Console, time_line: TimeLine) -> Iterator[Happening]:
    for one in findings:
        kind = Kind.FATAL if one.fatal else Kind.NOTED
        why = " (provoked)" if one.expected else " (allowed)" if one.allowed else ""
        at = console.clock_of(one.line) - time_line.zero
        yield Happening(at, Lane.CONSOLE, f"{one.what}{why}", kind, times=one.count)


def _shown(console: Console, findings: Sequence[Finding]) -> Iterator[tuple[float, str, str]]:
    """The last lines and those around findings, with a note of what is left out between."""
    lines = console.lines()
    index = {line.offset: number for number, line in enumerate(lines) if not line.mark}
    told = {one.line.offset for one in findings}
    wanted: dict[int, None] = {}
    for one in findings[:MOST_FINDINGS]:
        middle = index.get(one.line.offset)
        if middle is not None:
            wanted.update(dict.fromkeys(range(max(0, middle - BEFORE), min(len(lines), middle + AFTER))))
    # The nearest to the end come first: they are the last that are given up.
    wanted.update(dict.fromkeys(range(len(lines) - 1, max(-1, len(lines) - 1 - LAST), -1)))
    chosen, room = set[int](), MOST_BYTES
    for number in wanted:
        room -= len(lines[number].text[:LONGEST].encode()) + 24
        if room < 0:
            break
        chosen.add(number)
    last = -1
    for number in sorted(chosen):
        line = lines[number]
        at = console.clock_of(line)
        if number > last + 1:
            yield at, "gap", f"{number - last - 1} lines left out"
        last = number
        yield at, _who(line, told), line.text


def _who(line: Line, told: set[int]) -> str:
    if line.mark:
        return "mark"
    if line.offset in told:
        return "finding"
    return "kernel" if line.kernel else "program"
