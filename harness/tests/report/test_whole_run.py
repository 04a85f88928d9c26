"""A whole run of pytest, its tests in a worker: what its report, JUnit and GitHub say of each way to end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from harness.appliance.time_line import HIDDEN
from harness.errors import Fault
from harness.report.document import Document, Test
from harness.tests.report.played_lab import PASSWORD

TITLE = "3 of 6 tests failed, 1 could not be judged"
TESTS = """
def test_passes(appliance):
    with appliance.time_line.during("notes", "a step of the test"):
        pass

def test_fails(appliance):
    password = appliance.image.password
    assert password == "x"

def test_panics_while_it_boots(appliance):
    pass

def test_its_second_one_panics_while_it_boots(appliance, second_appliance):
    pass

def test_finds_no_room(appliance):
    pass

def test_is_skipped(appliance):
    pass
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("run")
    (folder / "test_mine.py").write_text(TESTS)
    (folder / "conftest.py").write_text("pytest_plugins = ['harness.tests.report.played_lab']\n")
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [*(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "1", "--junitxml=junit.xml")]
    environment = {**os.environ, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    environment.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(
        [*command, "--gk-board=virt", "--gk-report-json=r.json", "--gk-cache=cache"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == Fault.HOST.value, done.stdout + done.stderr
    return folder, done.stdout


@pytest.fixture
def tests(ended: tuple[Path, str]) -> dict[str, Test]:
    document = Document.read(ended[0] / "r.json")
    assert document.title == TITLE
    return {one.nodeid.partition("::")[2].partition("[")[0]: one for one in document.tests}


def test_each_test_is_what_it_came_to(tests: dict[str, Test]) -> None:
    assert {name: (one.outcome, one.stage, one.board) for name, one in tests.items()} == {
        "test_passes": ("passed", "", "virt"),
        "test_fails": ("failed", "call", "virt"),
        "test_panics_while_it_boots": ("failed", "setup", "virt"),
        "test_its_second_one_panics_while_it_boots": ("failed", "setup", "virt"),
        "test_finds_no_room": ("error", "setup", "virt"),
        "test_is_skipped": ("skipped", "", "virt"),
    }
    assert tests["test_fails"].what == f"assert '{HIDDEN}' == 'x'"
    died = tests["test_panics_while_it_boots"]
    assert (died.kind, died.fault) == ("KernelPanic", "APPLIANCE")
    line = "pytest 'test_mine.py::test_panics_while_it_boots[virt]' --gk-board virt --gk-cache cache"
    assert died.reproduce == line
    assert tests["test_is_skipped"].what == "not applicable: so it is"


def test_each_appliance_has_its_time_line(tests: dict[str, Test]) -> None:
    told = {(one["lane"], one["text"]) for one in tests["test_passes"].story["happenings"]}
    assert ("notes", "a step of the test") in told
    assert any(lane == "boot" and "until init" in text for lane, text in told)
    died = tests["test_panics_while_it_boots"].story
    assert [one["lane"] for one in died["happenings"] if one.get("kind") == "fatal"] == ["boot", "console"]
    assert [who for _, who, _ in died["console"]][-1] == "finding"
    assert tests["test_is_skipped"].story == {}


def test_one_that_did_not_come_up_beside_another_is_told_of_first_and_both_are_quoted(
    tests: dict[str, Test],
) -> None:
    died = tests["test_its_second_one_panics_while_it_boots"]
    assert (died.kind, died.fault) == ("KernelPanic", "APPLIANCE")
    consoles = [(title, text) for title, text in died.sections if title.startswith("gokrazy console")]
    assert ["Kernel panic" in text for _, text in consoles] == [True, False]
    assert [title.endswith(": the other appliance") for title, _ in consoles] == [False, True]
    assert [one["lane"] for one in died.story["happenings"] if one.get("kind") == "fatal"] == ["boot", "console"]


def test_what_was_tested_is_there_with_its_modules(ended: tuple[Path, str]) -> None:
    (image,) = Document.read(ended[0] / "r.json").images
    assert (image["title"], image["digest"], image["kernel"]["release"]) == ("image hello", "digest", "7.1.2")
    assert [(one["path"], one["version"]) for one in image["modules"]] == [
        *(("example.test/own", "(local)"), ("std", "go1.26")),
    ]
    assert all(one["licences"] for one in image["modules"])


@pytest.fixture
def suite(ended: tuple[Path, str]) -> ET.Element:
    found = ET.parse(ended[0] / "junit.xml").find("testsuite")
    assert found is not None
    return found


def case(suite: ET.Element, word: str) -> ET.Element:
    return next(one for one in suite.iter("testcase") if word in one.get("name", ""))


def test_junit_has_the_properties_of_a_boot_that_failed(suite: ET.Element) -> None:
    found = {one.get("name"): one.get("value") for one in case(suite, "test_panics").iter("property")}
    assert (found["gk_board"], found["gk_accelerator"], found["gk_fault"]) == ("virt", "tcg", "APPLIANCE")


def test_junit_counts_a_boot_that_failed_as_a_failure_and_what_its_host_lacked_as_an_error(
    suite: ET.Element,
) -> None:
    died, no_room = case(suite, "test_panics"), case(suite, "no_room")
    assert [one.tag for one in died if one.tag != "properties"] == ["failure"]
    assert "failed on setup" in died[-1].get("message", "")
    assert "Kernel panic" in (died[-1].text or "")
    assert [one.tag for one in no_room if one.tag != "properties"] == ["error"]
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "6", "failures": "3", "errors": "1", "skipped": "1"}


def test_the_summary_counts_it_so_as_well(ended: tuple[Path, str]) -> None:
    said = ended[1]
    assert re.search(r"3 failed, 1 passed, 1 skipped, (\d+ warnings?, )?1 error in ", said), said
    assert re.search(r"^FAILED test_mine.py::test_panics_while_it_boots\[virt\]", said, re.MULTILINE), said
    assert re.search(r"^ERROR test_mine.py::test_finds_no_room\[virt\]", said, re.MULTILINE), said
    assert "1 failure: this machine could not carry the run" in said


def test_github_is_told_of_all_failures(ended: tuple[Path, str]) -> None:
    folder, said = ended
    lines = [line for line in said.splitlines() if line.startswith("::error")]
    assert len(lines) == 4
    assert all("file=test_mine.py,line=" in line for line in lines)
    assert TITLE in (folder / "summary.md").read_text()


def test_no_password_is_in_anything_that_was_written(ended: tuple[Path, str]) -> None:
    folder, said = ended
    pages = [path for path in folder.rglob("*") if path.suffix in (".html", ".json", ".md", ".xml")]
    assert len(pages) >= 5
    assert [path.name for path in pages if PASSWORD in path.read_text()] == []
    assert PASSWORD not in said
    assert "alert(1)" in (folder / ".gokharness/report.html").read_text(), "what the device said is there"
