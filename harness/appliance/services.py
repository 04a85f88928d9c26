"""Services: what init supervises on an appliance, to look at and to wait for."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from harness.appliance.assembly import Assembly
from harness.appliance.core import Core
from harness.boards.hardware import missed_in
from harness.errors import ApplianceFault, WaitTimeout
from harness.gokrazy.endings import Attempt, attempts
from harness.gokrazy.expected import Fate
from harness.gokrazy.logs import LogLine, LogStream, Stream
from harness.gokrazy.reach import NETWORK, could_not_reach
from harness.gokrazy.status import ServiceStatus, Status
from harness.gokrazy.waiting import Deadline, Done, NotYet, poll

SETTLED = 2.5
"""Seconds without a change: init starts what fell one second after its end."""
CALM = 10.0
"""Seconds without a change before a service is judged: one that gives up only after a while is seen to fall."""
WAITS_FOR_CLOCK = "gokrazy: waiting for clock to be synced"
"""What init logs for a service (its supervise.go); a finished image does not show which ones wait."""
QUIETER = 60
"""The pause that ends a log is this many times shorter than a service may take to change its state."""
NOTABLE = 0.05
"""A service that takes this share of the device's memory has not settled yet."""
LATE = 10.0
"""Seconds after the first service in which init starts the others of the boot: it starts all of them at once."""
FALLS = 3
"""How often a service may start, stop or fall while one waits for it to settle."""


class Services(Core):
    """The part of an appliance that is about its services; every wait has the limit of the board's budget."""

    def __init__(self, made: Assembly) -> None:
        super().__init__(made)
        self.expected = made.expected
        """What the owner of the instance says of its services."""
        self.remarks: dict[str, str] = {}
        """What is no trouble and yet worth a line, by kind and service: ``needs-hardware:/user/fbstatus``."""
        self._falling: set[str] = set()
        """The paths of those that were seen as another process, while one last waited for them to settle."""
        self._started_here: set[str] = set()
        """The names by which they were started here, since the machine was made."""
        self.memory_left: tuple[int, int] | None = None
        """Bytes of memory that were available when it was last asked, and how many it has."""
        self.isolated = made.equipment.network == "restricted"
        """Whether it may reach nobody (``--gk-network restricted``)."""
        self.knows_time = made.board.knows_time
        """Whether it starts with a time, so that a service that waits for the clock must run."""

    def status(self) -> Status:
        """Return what the web interface says about the device."""
        status = self.device.status()
        self.memory_left = memory_left(status) if status.memory else self.memory_left
        return status

    def service(self, name: str) -> ServiceStatus:
        """Return one service as it is now."""
        return self.device.service(name)

    def wait_until_settled(
        self, *, besides: Collection[str] = (), calm: float = SETTLED, memory: bool = False
    ) -> Status:
        """Wait until no service (``besides`` those named) has started, ended or fallen for ``calm`` seconds.

        With ``memory``, the memory must not have become notably less in that time either.

        Raises ApplianceFault with the service's last words as soon as one has fallen three times meanwhile. What
        may fall, because its owner says so or the board lacks what it needs, is not waited for.
        """
        seen: dict[str, tuple[object, int]] = {}
        ignored = set(besides)
        since = time.monotonic()
        least: float = 0
        self._falling.clear()

        def attempt(_: Deadline) -> Done[Status] | NotYet:
            nonlocal since, least
            status = self.status()
            if memory and self.memory_left is not None and (self.memory_left[0] < least or not least):
                since, least = time.monotonic(), self.memory_left[0] - NOTABLE * self.memory_left[1]
            for one in status.services:
                state = (one.pid, one.stopped, one.started)
                before, changes = seen.get(one.path, (None, -1))
                if state == before or {one.path, one.name} & ignored:
                    continue
                since = time.monotonic()
                seen[one.path] = state, changes + 1
                if isinstance(before, tuple) and before[0] not in (0, one.pid):
                    self._falling.add(one.path)
                if changes + 1 > FALLS:
                    tries = self._tries(one.path)
                    if not self._may_fall(one, tries, up=False):
                        raise ApplianceFault(
                            f"{one.path} does not stay up: it was started again and again{self._fell(tries)}",
                            where=self.device.url,
                            hint=to_do(one.name),
                            evidence=self._last_words(one.path),
                        )
                    ignored.add(one.path)
            if time.monotonic() - since >= calm:
                return Done(status)
            return NotYet("; ".join(str(one) for one in status.services))

        limit = self.budget.ready + calm
        return poll("the services to settle", limit, attempt, where=self.device.url, check=self.check)

    def wait_until_calm(self) -> Status:
        """Wait as ``wait_until_settled`` does, but for ten seconds without a change, and by memory as well.

        That is for whoever judges the services: what waits a while before it gives up is then seen to fall.
        """
        return self.wait_until_settled(calm=CALM, memory=True)

    def _log(self, name: str) -> list[LogLine]:
        """The log of a service that was started. An empty one is believed late: the network may be slow."""
        return self.device.recent_log(name, quiet=self.budget.service / QUIETER, first=self.budget.service)

    def _last_words(self, name: str) -> str:
        return "\n".join(str(line) for line in self._log(name)[-10:])

    def _tries(self, name: str) -> list[Attempt]:
        return attempts(self._log(name))

    def _may_fall(self, service: ServiceStatus, tries: list[Attempt], *, up: bool) -> bool:
        """Whether it is no trouble that a service falls, or fell until it was ``up``; then a remark says so."""
        falls = [one for one in tries if one.ended and not one.left]
        if self.expected.of(service.path) is Fate.RESTARTS:
            self.remarks[f"expected:{service.path}"] = f"restarts, as expected: {_how(falls)}"
            return True
        missed = self._missed(service, falls, up=up)
        if self.expected.of(service.path) is Fate.RUNS or missed not in (NETWORK, *self.board.lacks):
            return False
        if missed == NETWORK:
            self.remarks[f"needs-network:{service.path}"] = _how(falls)
        else:
            self.remarks[f"needs-hardware:{service.path}"] = f"{missed}: {_how(falls)}"
        return True

    def _missed(self, service: ServiceStatus, falls: list[Attempt], *, up: bool) -> str:
        """What a service missed, by its last words at each fall; "" where these differ."""
        said = {self._missed_at(one.last_words, service.name, up=up) for one in falls}
        return said.pop() if len(said) == 1 else ""

    def _missed_at(self, line: str, name: str, *, up: bool) -> str:
        return missed_in(line, name) or (NETWORK if could_not_reach(line, isolated=self.isolated, up=up) else "")

    def trouble_with(self, name: str) -> str:
        """Return what is wrong with a service that should be settled, "" when it is as the image wants it.

        Started at boot: it runs since its first start, or ended with status 0 or 125 and stays down. Not started
        at boot: it never ran. Started once the time is known: it may wait where nobody knows it. It may fall where
        its owner says so, or where it says itself that it needs hardware that the board lacks, or that it could
        reach nobody on a restricted network. What is no trouble and yet unexpected is put among the ``remarks``.
        """
        service = self.service(name)
        wanted = self.image.service(service.path)
        fate = self.expected.of(service.path)
        late: WaitTimeout | None = None
        if fate is Fate.ENDS and not service.stopped:
            # A service with work to do has not ended yet when the others have settled.
            try:
                service = self.wait_for_service(service.path, lambda one: one.stopped, "ended")
            except WaitTimeout as error:
                late = error
                service = self.service(name)
        if wanted is not None and wanted.starts == "manual" and fate is None:
            return "" if service.stopped and service.pid == 0 else f"it should not have been started: {service}"
        if service.started is None and not self.knows_time and WAITS_FOR_CLOCK in self._last_words(name):
            return ""
        log = self._log(name) if service.started is not None else []
        if service.started is not None and not log:
            raise WaitTimeout(
                f"waited {self.budget.service:g} s for the log of {service.path}, and it did not come",
                where=self.device.url,
                hint=f"without it nobody knows how often it was started: {service}",
            )
        tries = self._judged(service, attempts(log))
        if late is not None and not service.stopped:
            late.what = f"it was expected to end, and did not: {late.what}"
            raise late
        starts = _starts(tries)
        falls = [one for one in tries if one.ended and not one.left]
        if starts > 1 or falls:
            up = service.pid > 0 and not service.stopped
            return "" if self._may_fall(service, tries, up=up) else self._why_it_fell(service, starts, falls)
        if not starts and (seen := self._fell_unheard(service)) and not self._may_fall(service, tries, up=True):
            return f"{seen}, and it says so much that its log no longer shows why: {service}"
        if service.stopped:
            if fate is Fate.RUNS:
                return f"it must run, and it left{_status(tries)}: {service}"
            if tries and tries[-1].ended == "status 0":
                self.remarks[f"ended:{service.path}"] = "with status 0"
            return ""
        return "" if service.pid > 0 else f"it was not started: {service}"

    def _fell_unheard(self, service: ServiceStatus) -> str:
        """How a service is known to have fallen whose log no longer says how often it was started, else "".

        Init keeps a hundred lines of a service, its own ones about it among them.
        """
        if service.path in self._falling:
            return "it was started again while the services settled"
        wanted = self.image.service(service.path)
        unknown = wanted is None or wanted.starts != "boot" or self.image.builder == "given" or not self.knows_time
        if unknown or service.started is None or service.diverted:
            return ""
        if {service.path, service.name} & self._started_here:
            return ""
        first = min(one.started for one in self.status().services if one.started is not None)
        late = (service.started - first).total_seconds()
        if late <= LATE:
            return ""
        return f"it was started {late:.0f} s after the first service, so not for the first time"

    def _judged(self, _service: ServiceStatus, tries: list[Attempt]) -> list[Attempt]:
        """The processes of a service by which it is judged: all, as it was started by nobody else."""
        return tries

    def check_service(self, name: str) -> None:
        """Raise ApplianceFault for what ``trouble_with`` finds, with the service's last words."""
        if trouble := self.trouble_with(name):
            first, _, said = trouble.partition("\n")
            raise ApplianceFault(
                f"{name} is not as it should be: {first}",
                where=self.device.url,
                hint=to_do(name.rsplit("/", 1)[-1]),
                evidence=said,
            )

    def _why_it_fell(self, service: ServiceStatus, starts: int, falls: list[Attempt]) -> str:
        missed = self._missed(service, falls, up=False)
        has = f", and says that it misses what {self.board.name} has: {missed}" if missed in self.board.has else ""
        fell = self._fell(falls)
        return f"it was started {starts} times{has}{fell}: {service}\n{self._last_words(service.path)}"

    def _fell(self, tries: list[Attempt]) -> str:
        """How a service fell the last time, to be put behind a sentence; "" where its log shows no fall."""
        falls = [one for one in tries if one.ended and not one.left]
        if not falls:
            return ""
        # Where the kernel is heard, it says itself when it kills for memory, and stands first then.
        killed = not self.voice.kernel and any(one.ended == "signal: killed" for one in falls)
        memory = ", as the kernel kills when memory runs out" if killed else ""
        return f"; it fell with {_how(falls)}{memory}"

    def start(self, name: str) -> None:
        """Start a stopped service over HTTP."""
        self._started_here.add(name)
        self.device.start(name)

    def stop(self, name: str) -> None:
        """Stop a service over HTTP."""
        self.device.stop(name)

    def restart(self, name: str) -> None:
        """Restart a service over HTTP."""
        self._started_here.add(name)
        self.device.restart(name)

    def wait_for_service(self, name: str, predicate: Callable[[ServiceStatus], bool], what: str) -> ServiceStatus:
        """Wait until the service is as ``predicate`` demands, which ``what`` says in words."""
        return self.device.wait_for_service(name, predicate, self.budget.service, what=what)

    def wait_until_stopped(self, name: str) -> ServiceStatus:
        """Wait until the service was stopped, or has ended with status 0 or 125."""
        return self.wait_for_service(name, lambda service: service.stopped, "stopped")

    def wait_until_runs_anew(self, before: ServiceStatus) -> ServiceStatus:
        """Wait until the service runs as another process than the one ``before``."""
        others = (0, before.pid)
        return self.wait_for_service(
            before.path, lambda service: not service.stopped and service.pid not in others, "running anew"
        )

    def attempts(self, name: str) -> int:
        """How often init started the service since boot, by its log; raises WaitTimeout when the log is silent."""
        starts = _starts(self._tries(name))
        if not starts:
            raise WaitTimeout(f"the log of {name} does not say how often it was started", where=self.device.url)
        return starts

    def log_stream(self, name: str, stream: Stream = "both") -> LogStream:
        """Follow a service's log from its last 100 lines on; use it in a ``with`` statement.

        The device does not keep stdout and stderr in their order: wait for one stream where the order matters.
        """
        return self.device.log(name, stream)


def to_do(name: str) -> str:
    """What to do about a service that does not do well."""
    return f"read its last words; if it may do so here, say so: --gk-expect {name}:restarts (or ends)"


def memory_left(status: Status) -> tuple[int, int] | None:
    """Bytes of memory that are available, and how many there are; None where the device does not say."""
    left, whole = status.memory.get("MemAvailable"), status.memory.get("MemTotal")
    return (left, whole) if left is not None and whole else None


def _starts(tries: list[Attempt]) -> int:
    """How often it was started, by its log; 0 where the log no longer shows it."""
    return max((one.number + 1 for one in tries), default=0)


def _how(falls: list[Attempt]) -> str:
    """How a service fell the last time, in its own words."""
    if not falls:
        return "the log does not say how"
    said = falls[-1].last_words
    return f"{said} ({falls[-1].ended})" if said else falls[-1].ended


def _status(tries: list[Attempt]) -> str:
    return f" with {tries[-1].ended}" if tries and tries[-1].ended else ""
