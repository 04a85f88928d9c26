"""A kernel that is brought down on purpose, on an appliance that only plays it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from harness.appliance.appliance import Appliance
from harness.appliance.time_line import TimeLine
from harness.console.check import Severity
from harness.console.findings import ExpectedCrash, Finding
from harness.console.lines import Line
from harness.console.phases import Boot, Cause
from harness.errors import KernelPanic
from harness.faults import kernel

FIRST, NEXT = Boot(4, Cause.POWER_ON, 0.0), Boot(5, Cause.RESET, 31.5)


class Played:
    """An appliance and its console in one, whose kernel panics when a service is started."""

    def __init__(self, finding: Finding) -> None:
        self.console = self
        self.budget = SimpleNamespace(service=20.0)
        self.boots = [FIRST]
        self.time_line = TimeLine()
        self.done: list[object] = []
        self._finding = finding

    @contextlib.contextmanager
    def expect_crash(self, *, timeout: float) -> Iterator[ExpectedCrash]:
        self.done.append(timeout)
        crash = ExpectedCrash()
        yield crash
        crash.finding = self._finding

    def start(self, name: str) -> None:
        self.done.append(name)

    def wait_for_boot(self, *, after: int) -> Boot:
        self.done.append(after)
        return NEXT


def test_a_panic_is_expected_and_the_boot_after_it_waited_for() -> None:
    line = Line(20.5, 0, "Kernel panic - not syncing: sysrq triggered crash")
    finding = Finding("kernel-panic", "the kernel panicked", Severity.FATAL, KernelPanic, line, 4)
    played = Played(finding)
    fall = kernel.panic(cast(Appliance, played))
    assert played.done == [20.0, "panic-kernel", 4]
    assert (fall.finding, fall.boot) == (finding, NEXT)
    assert fall.seconds == pytest.approx(11.0)
