"""Document: all that a report says of one run or of several, as data: the page shows it, a file keeps it as JSON.

The schema is described in docs/report.md. A field that is added keeps the version; whoever reads skips what he
does not know.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from harness.errors import Fault, OptionError
from harness.lab.journal import BootTimes
from harness.report.recorder import SERVICES, Recorder
from harness.report.reproduce import Typed
from harness.report.summary import remarks
from harness.report.tested import tested
from harness.report.verdict import NO_TESTS, TESTS_FAILED, Verdict
from harness.run.outcome import Outcome

SCHEMA = 1
"""Raised when a reader of the former version would misread the file."""
NAME = "report.json"
_LONGEST = 12_000
"""Characters of an error or a section that are kept: its end, where the cause stands."""


@dataclass
class Run:
    """One run of pytest."""

    began: float = 0.0
    """Seconds since 1970."""
    seconds: float = 0.0
    shard: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    """What it was made of: name and value."""
    notes: list[str] = field(default_factory=list)


@dataclass
class Test:
    """One test and what came of it."""

    __test__ = False

    nodeid: str
    outcome: str
    """passed, failed (a boot that failed before it included), error or skipped."""
    run: int = 0
    """Which of the runs it belongs to, from 0."""
    board: str = ""
    seconds: float = 0.0
    stage: str = ""
    fault: str = ""
    kind: str = ""
    what: str = ""
    """Why it failed or was skipped, in one line."""
    where: str = ""
    hint: str = ""
    reproduce: str = ""
    """The command that runs it alone."""
    file: str = ""
    line: int = 0
    error: str = ""
    sections: list[tuple[str, str]] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    stages: list[tuple[str, float, float]] = field(default_factory=list)
    story: dict[str, Any] = field(default_factory=dict)
    screen: dict[str, Any] = field(default_factory=dict)
    """What its screen showed when it failed: ``at``, as the story counts, and ``png`` in base 64."""
    pictures: list[dict[str, Any]] = field(default_factory=list)
    """Pictures that the test took: ``title``, and ``at`` and ``png`` likewise."""

    @property
    def is_red(self) -> bool:
        """Whether somebody must look at it."""
        return self.outcome in ("failed", "error")


@dataclass
class Document:
    """What a report says."""

    runs: list[Run] = field(default_factory=list)
    tests: list[Test] = field(default_factory=list)
    boots: list[BootTimes] = field(default_factory=list)
    work: dict[str, dict[str, int]] = field(default_factory=dict)
    """What the appliances of each board cost: starts by cause, and ``uploaded`` bytes."""
    images: list[dict[str, Any]] = field(default_factory=list)
    """What was tested; see ``tested``."""
    deviations: dict[str, str] = field(default_factory=dict)
    """Known deviations that were seen, and the evidence."""
    console: list[dict[str, Any]] = field(default_factory=list)
    """Findings that ended no test: ``check``, ``what``, ``tests`` (how many), ``boards``."""
    services: list[dict[str, Any]] = field(default_factory=list)
    """Services that are no failure and yet worth knowing: ``kind``, ``seen``, ``boards``."""
    skipped: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)

    # -- made of a run

    @classmethod
    def of(cls, recorder: Recorder, typed: Typed | None = None, *, shard: str = "") -> Self:
        """What a recorder has collected of a run that is over; ``typed`` makes the lines that run tests again."""
        outcomes = list(recorder.outcomes.values())
        stages = [stage for one in outcomes for stage in one.stages]
        began = min((begin for _, begin, _ in stages), default=0.0)
        ended = max((end for _, _, end in stages), default=0.0)
        verdict = recorder.verdict
        return cls(
            runs=[Run(began, ended - began, shard, dict(recorder.facts), remarks(recorder))],
            tests=[_test(one, typed) for one in outcomes],
            boots=list(recorder.boots),
            work={board: dict(done) for board, done in recorder.work.items()},
            images=tested(recorder.images.values()),
            deviations=dict(verdict.deviations),
            console=[
                {"check": check, "what": one.first, "tests": one.tests, "boards": sorted(one.boards)}
                for check, one in sorted(verdict.console.items())
            ],
            services=[
                {"kind": kind, "seen": seen, "boards": sorted(boards)}
                for kind in SERVICES
                for seen, boards in sorted(verdict.services.get(kind, {}).items())
            ],
            skipped=dict(verdict.skipped),
            left_out=dict(verdict.left_out),
        )

    @classmethod
    def merged(cls, documents: Iterable[Document]) -> Self:
        """Shards of a run, or several runs, as one."""
        whole = cls()
        skipped: Counter[str] = Counter()
        left_out: Counter[str] = Counter()
        console: dict[str, dict[str, Any]] = {}
        services: dict[tuple[str, str], dict[str, Any]] = {}
        for one in documents:
            for test in one.tests:
                test.run += len(whole.runs)
            whole.runs += one.runs
            whole.tests += one.tests
            whole.boots += one.boots
            for board, done in one.work.items():
                whole.work[board] = dict(Counter(whole.work.get(board, {})) + Counter(done))
            known = {image["digest"] for image in whole.images}
            whole.images += [image for image in one.images if image["digest"] not in known]
            whole.deviations.update(one.deviations)
            skipped.update(one.skipped)
            left_out.update(one.left_out)
            for row in one.console:
                _add(console.setdefault(row["check"], {**row, "tests": 0, "boards": []}), row)
            for row in one.services:
                _add(services.setdefault((row["kind"], row["seen"]), {**row, "boards": []}), row)
        whole.skipped, whole.left_out = dict(skipped), dict(left_out)
        whole.console, whole.services = list(console.values()), list(services.values())
        return whole

    # -- what it comes to

    @property
    def counts(self) -> dict[str, int]:
        """How many tests came to which outcome, the worst first."""
        count = Counter(one.outcome for one in self.tests)
        order = ("failed", "error", "skipped", "passed")
        return {name: count[name] for name in (*order, *sorted(set(count) - {*order})) if count[name]}

    @property
    def title(self) -> str:
        """What it comes to, in some words."""
        count = self.counts
        ran = len(self.tests) - count.get("skipped", 0)
        # An error says nothing about the appliance: this host, the harness or a fixture is to blame.
        red = [(count.get("failed", 0), "failed"), (count.get("error", 0), "could not be judged")]
        said = [f"{number}{{}} {what}" for number, what in red if number]
        if said:
            return ", ".join(
                [said[0].format(f" of {len(self.tests)} tests"), *(one.format("") for one in said[1:])]
            )
        if not ran:
            return "no test ran" if self.tests else "nothing ran"
        return f"all {ran} tests passed" if ran > 1 else "the test passed"

    @property
    def reds(self) -> list[Test]:
        """The tests that failed, or had an error."""
        return [one for one in self.tests if one.is_red]

    @property
    def boards(self) -> list[str]:
        """All boards that a test ran on."""
        return sorted({one.board for one in self.tests if one.board})

    @property
    def limits(self) -> dict[str, float]:
        """Seconds in which each board must be ready, as the tests were given them; the longest of each."""
        found: dict[str, float] = {}
        for one in self.tests:
            for board, seconds in one.story.get("limits", {}).items():
                found[board] = max(seconds, found.get(board, 0.0))
        return found

    @property
    def exit_status(self) -> int:
        """What the tests mean for the caller, with the order of ``Verdict.exit_status``; 5 where none ran."""
        if all(one.outcome == "skipped" for one in self.tests):
            return NO_TESTS
        faults = Counter(fault for one in self.reds for fault in Fault if fault.name == one.fault)
        return Verdict(faults=faults).exit_status(TESTS_FAILED if self.reds else 0)

    # -- as a file

    def as_json(self) -> dict[str, Any]:
        """The document as JSON has it."""
        said = datetime.now(UTC).isoformat(timespec="seconds")
        return {"schema": SCHEMA, "title": self.title, "counts": self.counts, "written": said, **asdict(self)}

    def write(self, path: Path) -> None:
        """Write it to a file; raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.as_json())
        path.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file, or the one in this folder; raises OptionError for what is no report."""
        file = path / NAME if path.is_dir() else path
        try:
            data = json.loads(file.read_bytes())
            if data["schema"] > SCHEMA:
                raise OptionError(
                    f"this report is of schema {data['schema']}, and schema {SCHEMA} is the newest known here",
                    where=str(file),
                    hint="use the gokharness that wrote it, or a newer one",
                )
            return cls(
                **{
                    **_known(cls, data),
                    "runs": [Run(**_known(Run, one)) for one in data["runs"]],
                    "tests": [Test(**_known(Test, one)) for one in data["tests"]],
                    "boots": [(board, start, phases) for board, start, phases in data["boots"]],
                }
            )
        except OSError as error:
            raise OptionError(
                f"there is no report to read: {error.strerror}",
                where=str(file),
                hint="name folders that runs wrote to, such as .gokharness, or their report.json",
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise OptionError(f"this is no report of a run: {error!r}", where=str(file)) from None


def _test(one: Outcome, typed: Typed | None) -> Test:
    return Test(
        nodeid=one.nodeid,
        # What this host, the harness or a missing tool is to blame for is none, in whichever stage it came.
        outcome="failed" if one.is_failure else "error" if one.stage else one.outcome,
        board=one.board,
        seconds=round(one.seconds, 3),
        stage=one.stage,
        fault=one.fault,
        kind=one.kind,
        what=one.reason,
        where=one.where,
        hint=one.hint,
        reproduce=typed.line(one.nodeid, one.board) if typed else "",
        file=one.file,
        line=one.line,
        error=_end(one.error),
        sections=[(title, _end(text)) for title, text in one.sections],
        properties=one.properties,
        stages=one.stages,
        story=one.story,
        screen=one.screen,
        pictures=one.pictures,
    )


def _end(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"({len(text) - _LONGEST} characters left out)\n{text[-_LONGEST:]}"


def _add(whole: dict[str, Any], row: Mapping[str, Any]) -> None:
    whole["boards"] = sorted({*whole["boards"], *row["boards"]})
    if "tests" in row:
        whole["tests"] += row["tests"]


def _known(record: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """What a record has fields for."""
    names = {one.name for one in fields(record)}
    return {name: value for name, value in data.items() if name in names}
