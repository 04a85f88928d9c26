"""The document: what a recorder has heard, as a file that another process reads and merges."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.appliance.past import Screen
from harness.appliance.time_line import HIDDEN, TimeLine
from harness.errors import (
    DeviceUnreachable,
    Fault,
    HarnessError,
    InternalError,
    KernelPanic,
    OptionError,
    QemuCrashed,
    follow,
)
from harness.report.document import NAME, SCHEMA, Document, Test
from harness.report.evidence import hang_under, story_for
from harness.report.recorder import Recorder
from harness.report.verdict import Verdict
from harness.tests.report.samples import run_of_each_kind

PASSWORD = "geheim-geheim"


def report(when: Any, *, outcome: Any = "passed", text: str = "", at: float = 100.0) -> pytest.TestReport:
    made = pytest.TestReport(
        "a.py::t[virt]", ("a.py", 4, "t"), {}, outcome, text or None, when, start=at, stop=at + 2, duration=2.0
    )
    made.gk_appliance, made.gk_on = True, "virt"  # type: ignore[attr-defined]
    return made


def played(password: str = PASSWORD) -> Any:
    line = TimeLine()
    line.keep_secret(password)
    return SimpleNamespace(
        time_line=line,
        excerpts=lambda *_: [("gokrazy console", f"it said {password}")],
        console=None,
        screen=Screen(3.25, b"a picture"),
        look_at_screen=lambda: None,
        pictures=[],
    )


def test_a_boot_that_fails_in_a_fixture_is_the_test_s_failure() -> None:
    recorder = Recorder(Verdict())
    setup = report("setup", outcome="failed", text=f"the kernel gave up, {PASSWORD}")
    panic = KernelPanic("the kernel gave up", where="console, 3.0 s", hint="look above", evidence="x")
    hang_under(setup, (played(),), panic)
    recorder.pytest_runtest_logreport(setup)
    teardown = report("teardown", at=102.0)
    teardown.gk_news = {"story": {"began": 100.5, "happenings": [], "console": []}}  # type: ignore[attr-defined]
    recorder.pytest_runtest_logreport(teardown)
    assert recorder.outcomes["a.py::t[virt]"].outcome == "error", "that is pytest's word for it"
    assert recorder.verdict.faults == {Fault.APPLIANCE: 1}
    (test,) = Document.of(recorder).tests
    assert (test.outcome, test.stage, test.kind, test.fault) == ("failed", "setup", "KernelPanic", "APPLIANCE")
    assert (test.what, test.where, test.hint) == ("the kernel gave up", "console, 3.0 s", "look above")
    assert (test.board, test.file, test.line) == ("virt", "a.py", 5)
    assert [name for name, _, _ in test.stages] == ["setup", "teardown"]
    assert test.story["began"] == 100.5
    assert Document.of(recorder).title == "1 of 1 tests failed"


def test_a_password_is_nowhere_in_what_hangs_under_a_report() -> None:
    failed = report("call", outcome="failed", text=f"E  assert '{PASSWORD}' == 'x'")
    hang_under(failed, (played(),), KernelPanic(f"it said {PASSWORD}", hint=PASSWORD))
    recorder = Recorder(Verdict())
    recorder.pytest_runtest_logreport(failed)
    text = json.dumps(Document.of(recorder).as_json())
    assert PASSWORD not in text
    assert text.count(HIDDEN) == 4


def test_both_appliances_of_a_test_are_quoted_and_neither_s_password() -> None:
    first, other = played(), played("the-other-s")
    first.screen = None
    other.screen = Screen(4.5, b"the other")
    failed = report("call", outcome="failed", text=f"E  {PASSWORD} and the-other-s")
    hang_under(failed, (first, other), KernelPanic(f"{PASSWORD} and the-other-s"))
    assert failed.sections == [
        ("gokrazy console", f"it said {HIDDEN}"),
        ("gokrazy console: the other appliance", f"it said {HIDDEN}"),
    ]
    assert failed.longreprtext == f"E  {HIDDEN} and {HIDDEN}"
    assert failed.gk_error["what"] == f"{HIDDEN} and {HIDDEN}"
    assert failed.gk_screen["at"] == 4.5


def test_what_the_screen_showed_travels_with_the_first_failure() -> None:
    recorder = Recorder(Verdict())
    for when in ("call", "teardown"):
        failed = report(when, outcome="failed", text="no")
        subject = played()
        subject.screen = Screen(3.25, b"a picture") if when == "call" else None
        hang_under(failed, (subject,), KernelPanic("no"))
        recorder.pytest_runtest_logreport(failed)
    (test,) = Document.of(recorder).tests
    assert test.screen == {"at": 3.25, "png": "YSBwaWN0dXJl"}


def test_another_error_keeps_its_own_words_and_its_cause_s_hint() -> None:
    failed = report("call", outcome="failed", text="AssertionError: not so\n  more")
    error = AssertionError("not so")
    error.__cause__ = KernelPanic("the kernel gave up", hint="look above")
    hang_under(failed, (), error)
    recorder = Recorder(Verdict())
    recorder.pytest_runtest_logreport(failed)
    (test,) = Document.of(recorder).tests
    assert (test.kind, test.what, test.hint) == ("AssertionError", "not so", "look above")


@pytest.mark.parametrize("stage", ["setup", "call", "teardown"])
@pytest.mark.parametrize(
    ("error", "outcome", "title"),
    [
        (KernelPanic("it died"), "failed", "1 of 1 tests failed"),
        (QemuCrashed("QEMU died"), "error", "1 of 1 tests could not be judged"),
        (InternalError("no"), "error", "1 of 1 tests could not be judged"),
        (OptionError("no such port"), "error", "1 of 1 tests could not be judged"),
    ],
    ids=["appliance", "host", "harness", "user"],
)
def test_the_appliance_is_blamed_in_each_stage_for_what_is_its_fault_alone(
    stage: str, error: HarnessError, outcome: str, title: str
) -> None:
    recorder = Recorder(Verdict())
    failed = report(stage, outcome="failed", text="no")
    hang_under(failed, (played(),), error)
    recorder.pytest_runtest_logreport(failed)
    document = Document.of(recorder)
    assert [one.outcome for one in document.tests] == [outcome]
    assert document.title == title


def test_what_follows_a_death_is_of_the_death_s_kind() -> None:
    for error in (DeviceUnreachable("reset by peer"), ConnectionError("reset by peer"), KeyError("slot")):
        failed = report("call", outcome="failed", text=f"{type(error).__name__}: reset by peer")
        follow(error, KernelPanic("the kernel gave up", hint="look above"))
        hang_under(failed, (), error)
        recorder = Recorder(Verdict())
        recorder.pytest_runtest_logreport(failed)
        (test,) = Document.of(recorder).tests
        assert (test.kind, test.fault, test.hint) == ("KernelPanic", "APPLIANCE", "look above")
        assert re.fullmatch(r"the kernel gave up; then: (reset by peer|'slot')", test.what)


def test_what_fails_in_the_tear_down_hides_no_failure_before_it() -> None:
    recorder = Recorder(Verdict())
    for when, text in (("call", "first"), ("teardown", "second")):
        recorder.pytest_runtest_logreport(report(when, outcome="failed", text=text))
    (test,) = Document.of(recorder).tests
    assert (test.outcome, test.stage, test.what) == ("failed", "call", "first")
    assert ("teardown failed as well", "second") in test.sections


def test_a_passed_test_has_no_evidence_and_a_time_line_only_at_its_end() -> None:
    passed = report("call")
    hang_under(passed, (played(),), None)
    assert not hasattr(passed, "gk_error")
    assert passed.sections == []
    assert story_for(passed, played()) == {}
    assert story_for(report("teardown"), None) == {}


def test_a_file_says_what_the_run_said(tmp_path: Path) -> None:
    sample = run_of_each_kind()
    sample.write(tmp_path / "new" / NAME)
    data = json.loads((tmp_path / "new" / NAME).read_text())
    assert (data["schema"], data["title"]) == (SCHEMA, "6 of 30 tests failed, 1 could not be judged")
    assert data["counts"] == {"failed": 6, "error": 1, "skipped": 2, "passed": 21}
    read = Document.read(tmp_path / "new")
    assert json.loads(json.dumps({**read.as_json(), "written": data["written"]})) == data
    assert read.tests[0].is_red


def test_what_a_newer_version_adds_is_skipped_and_what_it_changed_is_refused(tmp_path: Path) -> None:
    data = run_of_each_kind().as_json()
    data["colour"] = data["tests"][0]["colour"] = "red"
    file = tmp_path / NAME
    file.write_text(json.dumps(data))
    assert len(Document.read(file).tests) == 30
    file.write_text(json.dumps({**data, "schema": SCHEMA + 1}))
    with pytest.raises(OptionError, match=f"schema {SCHEMA + 1}"):
        Document.read(file)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": 1}', '{"schema": 1, "runs": 3, "tests": []}'])
def test_what_is_no_report_is_refused_by_its_path(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    with pytest.raises(OptionError, match="no report") as caught:
        Document.read(tmp_path)
    assert caught.value.where == str(tmp_path / NAME)
    with pytest.raises(OptionError, match="no report to read"):
        Document.read(tmp_path / "nowhere")


def test_shards_merge_into_one_and_each_test_keeps_its_run() -> None:
    whole = Document.merged([run_of_each_kind(), run_of_each_kind()])
    assert len(whole.runs) == 2
    assert [one.run for one in whole.tests] == [0] * 30 + [1] * 30
    assert len(whole.boots) == 2 * len(run_of_each_kind().boots)
    hung = {"check": "hung-task", "what": "task fbstatus hung for 120 s", "tests": 4, "boards": ["virt"]}
    assert whole.console[0] == hung
    assert len(whole.services) == 1
    assert [one["digest"] for one in whole.images] == [one["digest"] for one in run_of_each_kind().images]
    assert whole.skipped == {"not applicable: it needs the project's own crasher image": 4}
    assert whole.title == "12 of 60 tests failed, 2 could not be judged"


@pytest.mark.parametrize(
    ("outcomes", "title"),
    [
        ([], "nothing ran"),
        (["skipped"], "no test ran"),
        (["passed"], "the test passed"),
        (["passed", "passed", "skipped"], "all 2 tests passed"),
        (["passed", "error"], "1 of 2 tests could not be judged"),
    ],
)
def test_the_title_says_what_it_comes_to(outcomes: list[str], title: str) -> None:
    assert Document(tests=[Test(str(number), one) for number, one in enumerate(outcomes)]).title == title


def test_pictures_that_a_test_took_travel_whatever_becomes_of_it() -> None:
    recorder = Recorder(Verdict())
    recorder.pytest_runtest_logreport(report("call"))
    teardown = report("teardown", at=102.0)
    told = [{"title": "the front page", "at": 1.5, "png": "YSBwaWN0dXJl"}]
    teardown.gk_news = {"pictures": told}  # type: ignore[attr-defined]
    recorder.pytest_runtest_logreport(teardown)
    (test,) = Document.of(recorder).tests
    assert (test.outcome, test.pictures) == ("passed", told)
    assert Document.of(recorder).as_json()["tests"][0]["pictures"] == told
