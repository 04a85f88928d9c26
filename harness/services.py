"""Services: what init supervises on an appliance, as scenarios look at it and wait for it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection

from harness.boards import Budget
from harness.errors import ApplianceFault, WaitTimeout
from harness.gokrazy.client import Device
from harness.gokrazy.logs import LogStream, Stream
from harness.gokrazy.status import ServiceStatus, Status
from harness.gokrazy.waiting import Deadline, Done, NotYet, poll
from harness.image.model import Image

SETTLED = 2.5
"""Seconds without a change: init starts what fell one second after its end."""
WAITS_FOR_CLOCK = "gokrazy: waiting for clock to be synced"
"""What init logs for a service (its supervise.go); a finished image does not tell which ones wait."""
FALLS = 3
"""How often a service may start, stop or fall while one waits for it to settle."""


class Services(ABC):
    """The part of an appliance that is about its services; every wait has the limit of the board's budget."""

    image: Image
    budget: Budget
    knows_time: bool
    """Whether it starts with a time to go by, so that what waits for the clock must run."""

    @property
    @abstractmethod
    def device(self) -> Device:
        """The web interface."""

    @abstractmethod
    def check(self) -> None:
        """Raise what is known to be wrong with the appliance."""

    def status(self) -> Status:
        """Return what the web interface says about the device."""
        return self.device.status()

    def service(self, name: str) -> ServiceStatus:
        """Return one service as it is now."""
        return self.device.service(name)

    def wait_until_settled(self, *, besides: Collection[str] = ()) -> Status:
        """Wait until no service (``besides`` those named) has started, ended or been restarted for 2.5 seconds.

        Raises ApplianceFault with the service's last words as soon as one has fallen three times meanwhile.
        """
        seen: dict[str, tuple[object, int]] = {}
        since = time.monotonic()

        def attempt(_: Deadline) -> Done[Status] | NotYet:
            nonlocal since
            status = self.status()
            for one in status.services:
                state = (one.pid, one.stopped, one.started)
                before, changes = seen.get(one.path, (None, -1))
                if state == before or {one.path, one.name} & set(besides):
                    continue
                since = time.monotonic()
                seen[one.path] = state, changes + 1
                if changes + 1 > FALLS:
                    raise ApplianceFault(
                        f"{one.path} does not stay up: it was started again and again",
                        where=self.device.url,
                        evidence=self._last_words(one.path),
                    )
            if time.monotonic() - since >= SETTLED:
                return Done(status)
            return NotYet("; ".join(str(one) for one in status.services))

        return poll("the services to settle", self.budget.ready, attempt, where=self.device.url, check=self.check)

    def _last_words(self, name: str) -> str:
        return "\n".join(str(line) for line in self.device.recent_log(name)[-10:])

    def trouble_with(self, name: str) -> str:
        """Return what is wrong with a service that should be settled, "" when it is as the image wants it.

        Started at boot: it runs since its first start, or ended with status 0 or 125 and stays down. Not started
        at boot: it never ran. Started once the time is known: it may wait where nobody knows it.
        """
        service = self.service(name)
        wanted = self.image.service(service.path)
        if wanted is not None and wanted.starts == "manual":
            return "" if service.stopped and service.pid == 0 else f"it should not have been started: {service}"
        if service.started is None and not self.knows_time and WAITS_FOR_CLOCK in self._last_words(name):
            return ""
        starts = self.device.attempts(name) or 0
        if starts > 1:
            return f"it was started {starts} times: {service}\n{self._last_words(name)}"
        return "" if service.stopped or service.pid > 0 else f"it was not started: {service}"

    def start(self, name: str) -> None:
        """Start a stopped service over HTTP."""
        self.device.start(name)

    def stop(self, name: str) -> None:
        """Stop a service over HTTP."""
        self.device.stop(name)

    def restart(self, name: str) -> None:
        """Restart a service over HTTP."""
        self.device.restart(name)

    def wait_for_service(self, name: str, predicate: Callable[[ServiceStatus], bool], what: str) -> ServiceStatus:
        """Wait until the service is as ``predicate`` demands, which ``what`` says in words."""
        return self.device.wait_for_service(name, predicate, self.budget.service, what=what)

    def attempts(self, name: str) -> int:
        """How often init started the service since boot, by its log; raises WaitTimeout when the log is silent."""
        attempts = self.device.attempts(name)
        if attempts is None:
            raise WaitTimeout(f"the log of {name} does not say how often it was started", where=self.device.url)
        return attempts

    def log_stream(self, name: str, stream: Stream = "both") -> LogStream:
        """Follow a service's log from its last 100 lines on; use it in a ``with`` statement.

        The device does not keep stdout and stderr in their order: wait for one stream where the order matters.
        """
        return self.device.log(name, stream)
