"""Running ``gokharness check`` as a stranger does, and judging what came of it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.tests.others.cells import Expected
from harness.tests.outside import run_in

LIMIT = 3 * 3600.0
"""Seconds after which a run is called stuck: all scenarios on a Raspberry Pi take an hour on a slow host."""
NOT_APPLICABLE = "not applicable: "


@dataclass(frozen=True)
class Case:
    """One test of a run."""

    name: str
    outcome: str
    """passed, failed, error or skipped"""
    said: str = ""


@dataclass(frozen=True)
class Result:
    """One run."""

    status: int
    seconds: float
    output: str
    cases: tuple[Case, ...]

    def count(self, outcome: str) -> int:
        """How many tests had this outcome."""
        return sum(case.outcome == outcome for case in self.cases)

    def reasons(self) -> Mapping[str, int]:
        """Why tests were left out, and how many for each reason."""
        return Counter(case.said for case in self.cases if case.outcome == "skipped")


def check(command: Sequence[str], subject: str, options: Sequence[str], folder: Path) -> Result:
    """Run the check of a subject, named as it is typed in this folder."""
    ran = run_in(folder, [*command, "check", subject, "--junit", "results.xml", *options], limit=LIMIT)
    results = folder / "results.xml"
    return Result(ran.status, ran.seconds, ran.output, cases(results) if results.is_file() else ())


def cases(results: Path) -> tuple[Case, ...]:
    """The tests in a JUnit file; one that failed and then had an error is counted once, as failed."""
    found: dict[str, Case] = {}
    for element in ET.parse(results).iter("testcase"):
        name = element.get("name", "")
        outcome, said = "passed", ""
        for tag, meaning in (("failure", "failed"), ("error", "error"), ("skipped", "skipped")):
            child = element.find(tag)
            if child is not None:
                outcome = meaning
                said = child.get("message") or child.text or ""
                break
        if name not in found or found[name].outcome == "passed":
            found[name] = Case(name, outcome, said)
    return tuple(found.values())


def troubles(result: Result, expected: Expected) -> list[str]:
    """What is not as it must be; nothing when all is."""
    found: list[str] = []
    own = dict(expected.own)
    for case in result.cases:
        first = case.said.splitlines()[0] if case.said else ""
        if case.outcome in ("failed", "error"):
            pattern = next((own.pop(name) for name in list(own) if case.name.startswith(name)), expected.may)
            if not (pattern and seen(pattern, case.said)):
                found.append(f"{case.name} {'failed' if case.outcome == 'failed' else 'had an error'}: {first}")
        elif case.outcome == "skipped" and not case.said.startswith(NOT_APPLICABLE):
            found.append(f"{case.name} was skipped without being not applicable: {first}")
    found += [f"{name} passed, where the appliance must fail it" for name in own]
    passed = [case.name for case in result.cases if case.outcome == "passed"]
    if expected.passes is None:
        found += [] if passed else ["no test passed"]
    else:
        found += [f"{name} passed, where it cannot" for name in passed if not name.startswith(expected.passes)]
    reasons = "\n".join(result.reasons())
    found += [
        f"no reason for leaving out a test has {word!r}" for word in expected.reasons if not seen(word, reasons)
    ]
    found += [f"the run does not say {word!r}" for word in expected.says if not seen(word, result.output)]
    wanted = 1 if expected.own else 0
    if result.status != wanted:
        found.append(f"exit status {result.status} where {wanted} is right: {last_line(result.output)}")
    return found


def seen(pattern: str, text: str) -> bool:
    """Whether the pattern is in the text."""
    return re.search(pattern, text) is not None


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "(nothing was printed)"


def row(result: Result) -> dict[str, str]:
    """What the table shows of a run."""
    failed, errors = result.count("failed"), result.count("error")
    return {
        "passed": str(result.count("passed")),
        "failed": str(failed),
        "errors": str(errors),
        "n/a": str(result.count("skipped")),
        "seconds": f"{result.seconds:.0f}",
        "why": "; ".join(
            f"{count}x {reason.removeprefix(NOT_APPLICABLE)}" for reason, count in sorted(result.reasons().items())
        ),
    }
