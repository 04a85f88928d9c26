"""What a single row takes: no start more than it needs to be seen, and confirmed."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from harness.appliance.wanted import Wanted
from harness.boards import board
from harness.bump import bump as module
from harness.bump.bump import BOOT_SIZE, FLIP, UPDATE, VERSIONS, Depth, Sides, _goes_on, of_row
from harness.bump.compare import Row, Starts, Verdict
from harness.bump.deeds import DEEDS
from harness.tests.bump.test_compare import GOOD, but
from harness.tests.image.plain import PLAIN


@pytest.mark.parametrize(
    ("row", "pairs", "asks"),
    [
        (VERSIONS, (0, 0), False),
        (BOOT_SIZE, (0, 0), False),
        (UPDATE, (0, 0), False),
        (FLIP, (0, 0), False),
        ("boots", (1, 1), False),
        ("power off", (1, 1), False),
        ("seconds to the first answer", (4, 9), False),
        ("console: warnings and errors", (1, 2), False),
        ("clock by rtc-pl031", (1, 2), True),
        ("traffic to the device, one stream, 1400 bytes a write", (1, 3), True),
        ("reading from the disk", (1, 3), True),
    ],
)
def test_a_row_takes_so_many_pairs_and_probes_only_where_it_is_of_them(
    row: str, pairs: tuple[int, int], asks: bool
) -> None:
    depth = Depth.of_row(row)
    assert ((depth.least, depth.most), bool(depth.asked)) == (pairs, asks)
    assert depth.starts == (row not in (VERSIONS, BOOT_SIZE))
    assert depth.traffic == row.startswith("traffic")
    assert depth.update == (row in (UPDATE, FLIP))
    assert depth.console == row.startswith("console")
    assert list(depth.deeds) == [row for deed in DEEDS if deed.name == row]


def test_what_one_start_may_get_wrong_is_confirmed_and_what_is_well_is_not() -> None:
    clock = "clock by rtc-pl031"
    depth = Depth.of_row(clock)
    gone = but("device", clock, None)
    assert _goes_on(Starts("virt", [GOOD], [gone]), depth)
    assert not _goes_on(Starts("virt", [GOOD], [GOOD]), depth)
    assert not _goes_on(Starts("virt", [GOOD] * 2, [gone, GOOD]), depth)
    assert not _goes_on(Starts("virt", [GOOD] * 2, [gone] * 2), depth)


def test_a_stall_needs_one_pair_and_a_throughput_all_of_them() -> None:
    traffic = "traffic to the device"
    depth = Depth.of_row(traffic)
    assert not _goes_on(Starts("virt", [GOOD], [but("bad", traffic, "it stalls")]), depth)
    assert _goes_on(Starts("virt", [GOOD] * 2, [GOOD] * 2), depth)
    assert not _goes_on(Starts("virt", [GOOD] * 3, [GOOD] * 3), depth)


def test_a_whole_comparison_goes_on_until_the_times_are_decided() -> None:
    slow = replace(GOOD, ready=GOOD.ready * 1.5)
    assert _goes_on(Starts("virt", [GOOD] * 3, [GOOD] * 3), Depth())
    assert not _goes_on(Starts("virt", [GOOD] * 4, [GOOD] * 4), Depth())
    assert _goes_on(Starts("virt", [GOOD] * 7, [slow] * 7), Depth())
    assert not _goes_on(Starts("virt", [GOOD] * 8, [slow] * 8), Depth())


def test_only_a_start_that_fails_or_a_device_that_falls_silent_stands_for_a_row() -> None:
    boots, other = Row("virt", "boots", Verdict.WORSE, "panic"), Row("virt", "memory", Verdict.WORSE, "less")
    clock = Row("virt", "clock", Verdict.SAME)
    assert of_row("clock", [boots, other, clock]) == [clock]
    assert of_row("clock", [boots, other]) == [boots]
    assert of_row("clock", [other]) == []
    assert of_row("clock", [Row("virt", "boots", Verdict.SAME)]) == []


def test_where_one_start_is_enough_the_old_side_is_started_once(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def start(wanted: Wanted) -> AbstractContextManager[None]:
        started.append(wanted.name)
        return nullcontext()

    lab: Any = SimpleNamespace(appliance=start)
    monkeypatch.setattr(module, "measure", lambda *_: GOOD)
    virt, what, known = board("virt"), Sides(PLAIN, PLAIN, "old", "new"), dict[Any, Any]()
    for depth in (Depth.of_row("boots"), Depth.of_row("boots"), Depth.of_row("seconds to the first answer")):
        means: Any = SimpleNamespace(depth=depth, known=known, say=lambda _: None, task=lambda _: None)
        found = module._starts(lab, virt, what, means)
        assert len(found.old) == len(found.new) == depth.least
    assert started[:3] == ["bump-virt-old-1", "bump-virt-new-1", "bump-virt-new-1"]
    # Times are compared side by side.
    assert len(started[3:]) == 8
