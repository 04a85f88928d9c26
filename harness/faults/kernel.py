"""The kernel of an appliance that runs, brought down on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.appliance.time_line import Lane
from harness.console.findings import Finding
from harness.console.phases import Boot

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance

PANICS = "panic-kernel"
"""The service of the image crasher that has the kernel panic when it is started."""


@dataclass(frozen=True)
class Fall:
    """How a kernel went down, and the boot that came after it."""

    finding: Finding
    """What the console said of it."""
    boot: Boot

    @property
    def seconds(self) -> float:
        """From the first line about the fall to the beginning of the next boot."""
        return self.boot.started - self.finding.line.at


def panic(appliance: Appliance) -> Fall:
    """Have the kernel panic, and wait until the next one starts; the image must be crasher.

    Raises WaitTimeout where no crash is seen within ``budget.service``, or no boot within ``budget.reboot``.
    """
    before = appliance.console.boots[-1].number
    with (
        appliance.time_line.during(Lane.FAULTS, "the kernel is made to panic"),
        appliance.console.expect_crash(timeout=appliance.budget.service) as crash,
    ):
        appliance.start(PANICS)
    assert crash.finding is not None, "expect_crash waits for it"
    return Fall(crash.finding, appliance.wait_for_boot(after=before))
