"""Each way to break an appliance: the right test is red, of the right kind, its cause is said first."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.tests.verdict.conftest import ROW
from harness.tests.verdict.run import Bench, Result, Said, troubles
from harness.tests.verdict.way import Red, Way
from harness.tests.verdict.ways import WAYS


@pytest.mark.parametrize(
    "way",
    [pytest.param(way, id=way.name.replace(" ", "-"), marks=pytest.mark.gk_tier(way.tier)) for way in WAYS],
)
def test_a_broken_appliance_is_seen_and_its_cause_said(
    way: Way, bench: Bench, record_property: Callable[[str, object], None]
) -> None:
    result = bench.run(way)
    found = troubles(result, way.red)
    said = next((one for one in result.reds if way.red.test in one.test), None)
    said = said or next(iter(result.reds), Said("none", "", "", "nothing failed", ""))
    row = {
        "number": WAYS.index(way),
        "broken": way.name,
        "red test": said.test.rpartition("::")[2],
        "kind": said.kind or "refused",
        "first line": said.first,
        "to do": said.to_do,
        "seconds": f"{result.seconds:.0f}",
        "verdict": "wrong" if found else "right",
    }
    record_property(ROW, json.dumps(row))
    assert not found, "\n".join(["", *found, "", *result.output.splitlines()[-60:]])


def test_the_rows_have_names_of_their_own_and_one_way_each() -> None:
    assert [name for name, count in Counter(way.name for way in WAYS).items() if count > 1] == []
    for way in WAYS:
        broken = [way.damage is not None, way.instance is not None, bool(way.act), way.subject != "{damaged}"]
        assert sum(broken) == 1 or (way.damage and "{damaged}" in str(way.options)), way.name


RED = Red("test_x", "KernelPanic", "cause", "mend")
SAID = Said("a.py::test_x[virt]", "APPLIANCE", "KernelPanic", "the cause", "mend it")


@pytest.mark.parametrize(
    ("status", "reds", "trouble"),
    [
        (1, [SAID], ""),
        (1, [], "is not red"),
        (0, [SAID], "exit status 0"),
        (10, [SAID], "exit status 10"),
        (1, [Said(SAID.test, "APPLIANCE", "WaitTimeout", "the cause", "mend it")], "kind"),
        (1, [Said(SAID.test, "HOST", "KernelPanic", "the cause", "mend it")], "fault"),
        (1, [Said(SAID.test, "APPLIANCE", "KernelPanic", "something", "mend it")], "first line"),
        (1, [Said(SAID.test, "APPLIANCE", "KernelPanic", "the cause", "")], "hint"),
        (1, [SAID, Said("a.py::test_y", "APPLIANCE", "KernelPanic", "something", "")], "another reason"),
        (1, [Said("a.py::test_y", "APPLIANCE", "KernelPanic", "the cause", "mend it")], "is not red"),
    ],
)
def test_what_is_not_said_rightly_is_found(status: int, reds: list[Said], trouble: str) -> None:
    found = troubles(Result(status, 1.0, "", tuple(reds)), RED)
    assert len(found) == (1 if trouble else 0)
    assert trouble in "".join(found)


def test_an_assertion_blames_nobody() -> None:
    red = Red("test_x", "AssertionError", "cause", "")
    said = Said("a.py::test_x[virt]", "", "AssertionError", "the cause", "")
    assert troubles(Result(1, 1.0, "", (said,)), red) == []
    assert "fault" in "".join(troubles(Result(1, 1.0, "", (replace(said, fault="APPLIANCE"),)), red))
