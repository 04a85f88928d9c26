"""Each test N times under ids of their own, and a summary that tells steady tests from the others."""

from __future__ import annotations

import pytest

from harness.run.outcome import Outcome
from harness.run.repeat import tally, without_number

TESTS = """
import pytest
tries = 0

def test_always(): pass

@pytest.mark.parametrize("name", ["run1", "b"])
def test_with_parameters(name): pass

def test_now_and_then():
    global tries
    tries += 1
    assert tries % 3

class TestGroup:
    def test_in_a_class(self): pass
"""


@pytest.mark.parametrize(
    ("nodeid", "name"),
    [
        ("a.py::test_x[virt-run12]", "a.py::test_x[virt]"),
        ("a.py::test_x[run1]", "a.py::test_x"),
        ("a.py::test_x[run1-run2]", "a.py::test_x[run1]"),
        ("a.py::test_x[virt]", "a.py::test_x[virt]"),
        ("a.py::test_run1", "a.py::test_run1"),
    ],
)
def test_the_name_without_the_number(nodeid: str, name: str) -> None:
    assert without_number(nodeid) == name


def test_the_tally() -> None:
    results = {"a": "ppp", "b": "pfe", "c": "sss"}
    words = {"p": "passed", "f": "failed", "e": "error", "s": "skipped"}
    outcomes = [
        Outcome(f"{name}[run{number}]", words[letter])
        for name, letters in results.items()
        for number, letter in enumerate(letters, 1)
    ]
    assert tally(outcomes) == [
        "repeat  b: 1 of 3 passed",
        "repeat  1 of 2 tests passed each time; 4 of 6 runs passed",
    ]


def test_every_test_runs_n_times_under_ids_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("-p", "no:cacheprovider", "-v", "--gk-repeat=4")
    result.assert_outcomes(passed=19, failed=1)
    # One line for each run; how much of a failure stands in the summary depends on the environment (CI).
    ids = {line.split(" ")[0] for line in result.outlines if line.endswith("%]")}
    assert len(ids) == 20
    result.stdout.fnmatch_lines(
        [
            "repeat  *::test_now_and_then: 3 of 4 passed",
            "repeat  4 of 5 tests passed each time; 19 of 20 runs passed",
        ]
    )


def test_once_is_the_same_as_not_asking(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("-p", "no:cacheprovider", "-v", "--gk-repeat=1")
    result.assert_outcomes(passed=5)
    result.stdout.no_fnmatch_line("repeat  *")


def test_shards_and_workers_share_repeated_tests_out(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    passed = 0
    for number in (1, 2):
        result = pytester.runpytest_subprocess(
            "-p", "no:cacheprovider", "-n", "1", "--gk-repeat=2", f"--gk-shard={number}/2"
        )
        passed += result.parseoutcomes()["passed"]
    assert passed == 10


@pytest.mark.parametrize("times", ["0", "-1", "many", "1.5"])
def test_what_is_no_number_of_times(pytester: pytest.Pytester, times: str) -> None:
    assert pytester.runpytest(f"--gk-repeat={times}").ret == pytest.ExitCode.USAGE_ERROR
