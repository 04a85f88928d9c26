"""The report: what came of each test, the boots, and nothing that a reader should not see."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.console.check import Severity
from harness.console.findings import Finding
from harness.console.lines import Line
from harness.errors import ApplianceFault
from harness.report.document import Document
from harness.report.page import html, write_page
from harness.report.properties import properties
from harness.report.recorder import Recorder
from harness.report.summary import (
    boot_table,
    bundle_lines,
    console_lines,
    run_times,
    service_lines,
    work_lines,
    write_summary,
)
from harness.report.verdict import Verdict
from harness.run.outcome import Outcome


class Terminal:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def section(self, title: str, sep: str = "=") -> None:
        self.lines.append(f"{sep} {title} {sep}")

    def write_line(self, line: str) -> None:
        self.lines.append(line)


def report_of(nodeid: str, properties: list[tuple[str, object]]) -> pytest.TestReport:
    return pytest.TestReport(nodeid, ("t.py", 1, "t"), {}, "passed", None, "call", user_properties=properties)


@pytest.fixture
def recorder() -> Recorder:
    recorder = Recorder(Verdict())
    recorder.boots = [
        ("virt", "cold", {"kernel": 1.0, "ready": 6.0}),
        ("virt", "cold", {"kernel": 3.0, "ready": 8.0}),
        ("virt", "warm", {"ready": 0.5}),
    ]
    recorder.facts = {"image": "<hello>"}
    recorder.outcomes = {
        "a::passes": Outcome("a::passes", "passed", 1.0),
        "a::fails": Outcome("a::fails", "failed", 2.0, error="E  <bad>", sections=[("console", "Oops & more")]),
    }
    return recorder


def test_the_table_has_a_line_a_board_and_start_with_medians(recorder: Recorder) -> None:
    head, cold, warm = boot_table(recorder.boots)
    assert head.split() == [
        "boot,",
        "seconds",
        "start",
        "n",
        "kernel",
        "root",
        "init",
        "build",
        "dhcp",
        "http-200",
    ]
    assert cold.split() == ["virt", "cold", "2", "2.0", "-", "-", "-", "-", "7.0"]
    assert warm.split() == ["virt", "warm", "1", "-", "-", "-", "-", "-", "0.5"]
    assert len({len(line) for line in (head, cold, warm)}) == 1


def test_no_boots_no_table() -> None:
    assert boot_table([]) == []


def test_a_long_name_of_a_board_leaves_the_columns_where_they_are() -> None:
    times = {"kernel": 1.0, "ready": 30.0}
    lines = boot_table([("pc-bios:virtio-scsi+e1000e", "cold", times), ("virt", "warm", times)])
    assert len({len(line) for line in lines}) == 1
    assert len({line.index("1.0") for line in lines[1:]}) == 1


def test_the_time_of_each_board_is_summed_up() -> None:
    outcomes = [
        Outcome("a[virt]", "passed", 61.4, board="virt"),
        Outcome("b[virt]", "failed", 9.0, board="virt"),
        Outcome("b[raspi4b]", "passed", 100.0, board="raspi4b"),
        Outcome("plain", "passed", 5.0),
    ]
    assert run_times(outcomes) == ["tests, seconds: virt 70 (2 tests), raspi4b 100 (1 tests)"]
    assert run_times([Outcome("plain", "passed", 5.0)]) == []


def test_services_that_are_no_trouble_are_named_and_counted_in_summary_page_and_junit(recorder: Recorder) -> None:
    said = "display: open /dev/fb0: no such file or directory (exit status 1)"
    for board in ("virt", "raspi-virt"):
        shown = [("gk_board", board), ("gk_needs-hardware:/user/fbstatus", said), ("gk_ended:/user/job", "so")]
        recorder.pytest_runtest_logreport(report_of(f"t[{board}]", [*shown]))
    wanted = [
        f"service needs hardware that its board lacks  /user/fbstatus: {said} (on raspi-virt, virt)",
        "service ended by itself  /user/job: so (on raspi-virt, virt)",
        "services: 1 needs hardware that its board lacks, 1 ended by itself",
    ]
    assert service_lines(recorder.verdict.services) == wanted
    terminal = Terminal()
    write_summary(terminal, recorder, None)
    assert wanted == [line for line in terminal.lines if line.startswith("service")]
    rows = Document.of(recorder).services
    assert [(row["kind"], row["boards"]) for row in rows] == [
        ("needs-hardware", ["raspi-virt", "virt"]),
        ("ended", ["raspi-virt", "virt"]),
    ]
    page = html(Document.of(recorder))
    assert f"/user/fbstatus: {said}<small>needs hardware that its board lacks; on raspi-virt, virt</small>" in page


def test_a_run_with_nothing_to_tell_of_services_says_nothing() -> None:
    assert service_lines({}) == []


def test_the_summary_names_skips_deviations_and_the_report(recorder: Recorder, tmp_path: Path) -> None:
    recorder.verdict.skipped["no breakglass"] = 3
    recorder.verdict.deviations["modules"] = "they do not fit"
    page = tmp_path / "report.html"
    page.touch()
    terminal = Terminal()
    write_summary(terminal, recorder, page)
    said = "\n".join(terminal.lines)
    assert "skipped   3x  no breakglass" in said
    assert "known deviation  modules: they do not fit" in said
    assert f"report: {page}" in said


def test_what_was_not_as_usual_stands_in_summary_and_page(recorder: Recorder) -> None:
    report = pytest.TestReport("a::b", ("a", 1, "b"), {}, "passed", None, "teardown")
    report.gk_news = {"notes": ["virt: KVM BROKE"], "waits": [1.0, 4.0]}  # type: ignore[attr-defined]
    report.gk_earlier_news = [{"notes": ["QEMU did not quit"], "waits": [2.0]}]  # type: ignore[attr-defined]
    recorder.pytest_runtest_logreport(report)
    terminal = Terminal()
    write_summary(terminal, recorder, None)
    notes = ["QEMU did not quit", "virt: KVM BROKE"]
    notes.append("machines waited 3 times for room on this host: 7 s in all, 4 s at most")
    assert [line for line in terminal.lines if line.startswith("note  ")] == [f"note  {one}" for one in notes]
    page = html(Document.of(recorder))
    assert all(one in page for one in notes)


def test_what_the_appliances_cost_is_summed_up_over_tests_and_boards(recorder: Recorder) -> None:
    for board, done in (
        ("virt", {"power-on": 1, "uploaded": 9_000_000}),
        ("pc-bios", {"power-on": 2, "kexec": 1}),
    ):
        report = pytest.TestReport("a::b", ("a", 1, "b"), {}, "passed", None, "teardown")
        report.gk_news = {"work": {board: done}}  # type: ignore[attr-defined]
        recorder.pytest_runtest_logreport(report)
    assert work_lines(recorder.work) == ["starts: 3 by power-on, 1 by kexec, 9 MB uploaded"]
    assert work_lines({}) == []
    one = Document.of(recorder)
    assert one.work["virt"] == {"power-on": 1, "uploaded": 9_000_000}
    assert Document.merged([one, one]).work["pc-bios"] == {"power-on": 4, "kexec": 2}


def test_a_bundle_of_several_tests_is_named_once() -> None:
    mine, other = ({"gk_bundle": f"gokharness repro {name}.tar.zst  (1.0 MB)"} for name in ("mine", "other"))
    outcomes = [Outcome("a", "error", properties=mine), Outcome("b", "failed", properties=other)]
    outcomes += [Outcome(name, "error", properties=mine) for name in ("c", "d")]
    assert bundle_lines([*outcomes, Outcome("e", "passed")]) == [
        "bundle of a and 2 more:",
        "  gokharness repro mine.tar.zst  (1.0 MB)",
        "bundle of b:",
        "  gokharness repro other.tar.zst  (1.0 MB)",
    ]


def test_the_summary_is_silent_when_there_was_no_appliance() -> None:
    terminal = Terminal()
    write_summary(terminal, Recorder(Verdict()), None)
    assert terminal.lines == []


def test_a_test_that_failed_before_its_appliance_was_up_has_its_bundle_and_report_named(tmp_path: Path) -> None:
    recorder, terminal = Recorder(Verdict()), Terminal()
    recorder.asked = True
    line = "gokharness repro mine.tar.zst  (1.0 MB)"
    recorder.outcomes["a"] = Outcome("a", "failed", properties={"gk_bundle": line})
    page = tmp_path / "report.html"
    page.touch()
    write_summary(terminal, recorder, page)
    assert terminal.lines == ["= gokrazy =", "bundle of a:", f"  {line}", f"report: {page}"]


def test_the_page_counts_escapes_and_keeps_what_the_device_said(recorder: Recorder, tmp_path: Path) -> None:
    page = tmp_path / "new" / "report.html"
    write_page(page, Document.of(recorder))
    text = page.read_text()
    assert '<h1 class="bad">1 of 2 tests failed</h1>' in text
    assert "&lt;hello&gt;" in text
    assert "E  &lt;bad&gt;" in text
    assert "Oops &amp; more" in text
    assert "<bad>" not in text


def test_a_test_is_told_which_appliance_it_had_and_what_that_showed() -> None:
    appliance: Any = SimpleNamespace(
        board=SimpleNamespace(name="virt"),
        image=SimpleNamespace(digest="abc", build="2026", builder="own"),
        clock_behind=None,
        downtimes=[],
        deviations={},
        left_out={},
        remarks={},
        power=SimpleNamespace(accelerator="tcg"),
        console=SimpleNamespace(unclean=list, findings=[]),
    )
    told = dict(properties(appliance))
    assert told == {
        "gk_board": "virt",
        "gk_image": "abc",
        "gk_build": "2026",
        "gk_builder": "own",
        "gk_accelerator": "tcg",
    }
    appliance.clock_behind, appliance.downtimes = 3.04, [12.34, 5.0]
    appliance.deviations = {"a demand": "v1: seen"}
    appliance.remarks = {"ended:/user/job": "with status 0"}
    appliance.left_out = {"whether data stays": "not applicable: it is blank"}
    appliance.console.unclean = lambda: [finding("hung-task", "a"), finding("hung-task", "b"), FATAL]
    allowed = finding("oom-kill", "it was killed")
    allowed.reason = "too big"
    appliance.console.findings = [allowed, finding("io-error", "in vain")]
    more = dict(properties(appliance))
    assert {name: more[name] for name in more.keys() - told.keys()} == {
        "gk_clock_behind_seconds": "3.0",
        "gk_downtime_seconds": "12.3, 5.0",
        "gk_deviation:a demand": "v1: seen",
        "gk_ended:/user/job": "with status 0",
        "gk_console:hung-task": "a",
        "gk_console:oom-kill": "it was killed (allowed: too big)",
        "gk_left_out:whether data stays": "not applicable: it is blank",
    }


def finding(name: str, what: str, severity: Severity = Severity.NOTED) -> Finding:
    return Finding(name, what, severity, ApplianceFault, Line(1.0, 0, what), 1)


FATAL = finding("kernel-panic", "it died", Severity.FATAL)


def test_what_a_clean_console_does_not_have_is_in_summary_and_page() -> None:
    recorder = Recorder(Verdict())
    for number, board in enumerate(("virt", "pc-bios", "virt")):
        properties: list[tuple[str, object]] = [("gk_board", board), ("gk_console:hung-task", f"task {number}")]
        recorder.pytest_runtest_logreport(report_of(f"test_{number}", properties))
    line = "console [hung-task] in 3 tests (on pc-bios, virt): task 0"
    assert console_lines(recorder.verdict.console) == [line]
    terminal = Terminal()
    recorder.boots.append(("virt", "cold", {"ready": 9.0}))
    write_summary(terminal, recorder, None)
    assert line in terminal.lines
    page = html(Document.of(recorder))
    assert "[hung-task] task 0<small>in 3 tests, on pc-bios, virt</small>" in page
    assert recorder.verdict.exit_status(0) == 0


def test_a_part_that_was_left_out_is_counted_with_its_reason_in_the_words_of_the_command() -> None:
    recorder = Recorder(Verdict(), lambda text: text.replace("--gk-", "--"))
    for number in range(2):
        properties: list[tuple[str, object]] = [("gk_left_out:whether data stays", "it is blank (--gk-perm ext4)")]
        recorder.pytest_runtest_logreport(report_of(f"test_{number}", properties))
    assert recorder.verdict.left_out == {"whether data stays: it is blank (--perm ext4)": 2}
    terminal = Terminal()
    recorder.boots.append(("virt", "cold", {"ready": 9.0}))
    write_summary(terminal, recorder, None)
    assert "left out  2x  whether data stays: it is blank (--perm ext4)" in terminal.lines
