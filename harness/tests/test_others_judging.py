"""A run of somebody else's instance is judged: what is not expected of the appliance itself is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.package_data import images_folder
from harness.tests.others.cells import CELLS, EVERY_CHANGE, FINISHED, Expected
from harness.tests.others.run import Case, Result, cases, row, troubles

GOOD = Case("test_a[virt]", "passed")
LEFT_OUT = Case("test_b[virt]", "skipped", "not applicable: the image has no serial console")
KILLED = Case("test_c[virt]", "failed", "E: hungry was killed for want of memory")
OWN = Expected(own={"test_c": "want of memory"})


def result(*cases: Case, status: int = 0, output: str = "= 1 passed =") -> Result:
    return Result(status, 12.0, output, cases)


def test_all_is_well() -> None:
    assert troubles(result(GOOD, LEFT_OUT), Expected(reasons=("serial",), says=("1 passed",))) == []


def test_the_appliances_own_failure_is_expected() -> None:
    assert troubles(result(GOOD, KILLED, status=1), OWN) == []


def test_what_may_fail_besides_need_not() -> None:
    expected = Expected(own={"test_c": "want of memory"}, may="want of memory")
    also = Case("test_d", "error", "E: hungry was killed for want of memory")
    assert troubles(result(GOOD, KILLED, status=1), expected) == []
    assert troubles(result(GOOD, KILLED, also, status=1), expected) == []
    other = Case("test_d", "error", "E: no address")
    assert troubles(result(GOOD, KILLED, other, status=1), expected) == ["test_d had an error: E: no address"]


@pytest.mark.parametrize(
    ("made", "expected", "said"),
    [
        (result(GOOD, KILLED, status=1), Expected(), "test_c[virt] failed: E: hungry was killed"),
        (result(GOOD, Case("test_c", "failed", "other"), status=1), OWN, "test_c failed: other"),
        (result(GOOD), OWN, "test_c passed, where the appliance must fail it"),
        (result(GOOD, Case("test_d", "error", "no boot"), status=1), Expected(), "test_d had an error: no boot"),
        (result(GOOD, Case("test_d", "skipped", "tired")), Expected(), "without being not applicable: tired"),
        (result(LEFT_OUT, status=5), Expected(), "no test passed"),
        (result(GOOD), Expected(passes=("test_z",)), "passed, where it cannot"),
        (result(GOOD, status=11, output="QEMU crashed\n"), Expected(), "exit status 11 where 0 is right: QEMU"),
        (result(GOOD), Expected(reasons=("dhcp",)), "no reason for leaving out a test has 'dhcp'"),
        (result(GOOD), Expected(says=("ends",)), "the run does not say 'ends'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_said(made: Result, expected: Expected, said: str) -> None:
    assert any(said in line for line in troubles(made, expected)), troubles(made, expected)


def test_a_test_that_failed_twice_counts_once(tmp_path: Path) -> None:
    file = tmp_path / "results.xml"
    file.write_text(
        '<testsuites><testsuite><testcase name="a"><failure message="first"/></testcase>'
        '<testcase name="a"><error message="then"/></testcase>'
        '<testcase name="b"><skipped message="not applicable: x"/></testcase>'
        '<testcase name="c"/></testsuite></testsuites>'
    )
    assert cases(file) == (
        Case("a", "failed", "first"),
        Case("b", "skipped", "not applicable: x"),
        Case("c", "passed"),
    )
    assert row(Result(1, 3.4, "", cases(file))) == {
        **{"passed": "1", "failed": "1", "errors": "0", "n/a": "1", "seconds": "3"},
        "why": "1x x",
    }


def test_each_instance_is_in_the_matrix_and_among_the_finished_images() -> None:
    instances = {path.parent.name for path in (images_folder() / "others").glob("*/config.json")}
    assert {cell.instance for cell in CELLS} == instances
    assert {finished.instance for finished in FINISHED} == instances
    assert len({cell.name for cell in CELLS}) == len(CELLS)
    assert len({finished.name for finished in FINISHED}) == len(FINISHED)


def test_each_format_is_among_the_finished_images() -> None:
    endings = {ending for finished in FINISHED for ending in finished.format.split(".")}
    assert endings == {"img", "gaf", "qcow2", "gz", "xz", "zst"}
    assert {finished.key for finished in FINISHED} == {True, False}


def test_four_run_for_each_change() -> None:
    assert len(EVERY_CHANGE) == 4
