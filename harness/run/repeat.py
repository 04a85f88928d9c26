"""Each test N times, to find the one that does not always come to the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import pytest

from harness.run.outcome import Outcome

FIXTURE = "gk_repeat"
_LAST = re.compile(r"(?:\[|-)run\d+\]$")


class Repeat:
    """A pytest plugin object that gives each test ``times`` lives; their ids end in run1, run2, ..."""

    def __init__(self, times: int) -> None:
        self.times = times

    @pytest.fixture
    def gk_repeat(self, request: pytest.FixtureRequest) -> int:
        """Which of its runs this is, from 1."""
        return int(getattr(request, "param", 1))

    # After all others: the number stands last in a test's id.
    @pytest.hookimpl(trylast=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Add the number of the run to the parameters of a test."""
        if FIXTURE not in metafunc.fixturenames:
            metafunc.fixturenames.append(FIXTURE)
        numbers = range(1, self.times + 1)
        metafunc.parametrize(FIXTURE, numbers, ids=[f"run{number}" for number in numbers], indirect=True)


def without_number(nodeid: str) -> str:
    """The id that a test has in a run that repeats nothing."""
    found = _LAST.search(nodeid)
    if found is None:
        return nodeid
    return nodeid[: found.start()] + ("" if nodeid[found.start()] == "[" else "]")


def tally(outcomes: Iterable[Outcome]) -> list[str]:
    """What a repeated run came to: a line for each test that did not pass every time, and one for all."""
    passed: Counter[str] = Counter()
    ran: Counter[str] = Counter()
    for one in outcomes:
        if one.outcome == "skipped":
            continue
        name = without_number(one.nodeid)
        ran[name] += 1
        passed[name] += one.outcome == "passed"
    unsteady = [name for name, count in ran.items() if passed[name] < count]
    steady = len(ran) - len(unsteady)
    return [
        *(f"repeat  {name}: {passed[name]} of {ran[name]} passed" for name in unsteady),
        f"repeat  {steady} of {len(ran)} tests passed each time; {passed.total()} of {ran.total()} runs passed",
    ]
