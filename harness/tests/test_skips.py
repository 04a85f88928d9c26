"""The end of a run says what was skipped; where all tools must be there, a missing one is a failure."""

from __future__ import annotations

import pytest

CONFTEST = """
import pytest
from harness.tests.conftest import *
"""
TESTS = """
import pytest

@pytest.mark.skipif(True, reason="no-such-tool is not installed")
def test_with_a_mark(): pass

def test_by_itself(): pytest.skip("no-such-tool is not installed")

def test_this_host_cannot(): pytest.skip("no /dev/kvm to try")

def test_that_runs(): pass
"""


@pytest.fixture
def made(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_made=TESTS)
    return pytester


def test_each_reason_is_counted(made: pytest.Pytester) -> None:
    result = made.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, skipped=3)
    result.stdout.fnmatch_lines(
        ["skipped   1x  no /dev/kvm to try", "skipped   2x  no-such-tool is not installed"]
    )


def test_a_missing_tool_is_a_failure_where_all_are_required(made: pytest.Pytester) -> None:
    result = made.runpytest_subprocess("-p", "no:cacheprovider", "--tools-required")
    # Where a test is skipped by a mark, it fails before it begins.
    outcomes = result.parseoutcomes()
    assert (outcomes["failed"], outcomes["errors"], outcomes["skipped"], outcomes["passed"]) == (1, 1, 1, 1)
    result.stdout.fnmatch_lines(["*for want of a tool: no-such-tool is not installed*"])
