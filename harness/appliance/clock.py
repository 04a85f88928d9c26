"""DeviceClock: what time an appliance has, and how it is given another."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta

from harness.appliance.assembly import Assembly
from harness.appliance.services import Services
from harness.appliance.ways_in import WaysIn
from harness.errors import DeviceUnreachable
from harness.machine.partitions import write_perm

LAST_TIME = "home/ntp/ntp-time-at-last-shutdown"
"""Where gokrazy's cmd/ntp keeps the time, below /perm (its ntp.go), as RFC 3339."""


class DeviceClock(Services, WaysIn):
    """The part of an appliance that is about its clock."""

    def __init__(self, made: Assembly) -> None:
        super().__init__(made)
        self.clock_behind: float | None = None
        """Seconds that a restored appliance's clock was behind this host's; see ``correct_clock``."""

    def set_clock(self, when: datetime) -> None:
        """Put a time where gokrazy keeps that of the last shutdown; only while off.

        A device without a clock starts with that time, before it has a network.
        """
        write_perm(self.power.overlay, self.image, LAST_TIME, when.isoformat().encode())
        self.knows_time = True

    def read_clock(self) -> datetime:
        """The time by its own clock, to a second or two, by an answer of its web interface; raises WaitTimeout."""
        behind = self.device.wait_until_it_answers(self.budget.answer)
        if behind is None:
            raise DeviceUnreachable("the device answers, and its answer has no date", where=self.device.url)
        return datetime.now(UTC) - timedelta(seconds=behind)

    def correct_clock(self) -> None:
        """Set the clock of a restored appliance, which stood still, by its serial shell, else by breakglass.

        It then shows this host's time to a second or two. That takes seconds, so a test asks for it where the time
        matters. Raises CommandFailed where the image has no ``date``.
        """
        # The time is read when somebody is there to take it: a shell needs seconds to come up on a busy host.
        if self.can("serial-shell"):
            self.shell.open()
            self.shell.check(_set_time())
        else:
            with self.breakglass() as rescue:
                rescue.run(_set_time())
        self._ask_the_time(self.budget.service)

    def _ask_the_time(self, limit: float) -> None:
        """Wait until a restored appliance answers, and see what its clock says; without HTTP nobody is asked."""
        self.clock_behind = self.device.wait_until_it_answers(limit) if self.can("http") else None


def _set_time() -> str:
    """The command that sets a clock, in whole seconds; rounded up: it is half a second on its way."""
    return f"date -u -s @{math.ceil(time.time())}"
