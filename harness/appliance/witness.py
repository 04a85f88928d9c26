"""Witness: puts what machine, web interface and breakglass report onto an appliance's time line, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.appliance.time_line import Kind, Lane, TimeLine
from harness.errors import HarnessError
from harness.gokrazy.breakglass import Talk
from harness.gokrazy.client import WebNews
from harness.gokrazy.status import ServiceStatus, Status
from harness.gokrazy.transport import NoAnswer
from harness.machine.ending import Ended
from harness.machine.power import PowerEvent, PowerOn
from harness.machine.qmp import Event

STEP = 10
"""Per cent of an upload between two happenings."""
_GRAVE = ("BLOCK_IO_ERROR", "GUEST_PANICKED", "GUEST_CRASHLOADED", "MEMORY_FAILURE", "WATCHDOG", "BLOCK_JOB_ERROR")
_ROUTINE = ("RTC_CHANGE", "NIC_RX_FILTER_CHANGED", "JOB_STATUS_CHANGE", "MIGRATION", "VSERPORT_CHANGE")
"""Events that say nothing of what a test is about."""


class Witness:
    """Listens to all that belongs to one appliance. Each of its methods is a listener and never waits."""

    def __init__(self, time_line: TimeLine) -> None:
        self._time_line = time_line
        self._services: dict[str, ServiceStatus] = {}
        self._gone: dict[str, int] = {}
        """Bytes that went so far of the last upload to each endpoint."""
        self.uploaded = 0
        """Bytes of all uploads."""

    def machine(self, news: PowerEvent) -> None:
        """Something happened to the machine."""
        add = self._time_line.add
        if isinstance(news, PowerOn):
            self._services.clear()
            how = "" if news.new_process else ", in the same QEMU"
            add(Lane.POWER, f"start {news.number}: {news.cause}{how}", at=news.at)
        elif isinstance(news, Ended):
            kind = Kind.FATAL if news.failure is not None else Kind.USUAL
            add(Lane.POWER, f"off: {news.reason or news.exit}", kind=kind, at=news.at)
        elif isinstance(news, HarnessError):
            add(Lane.POWER, news.what, kind=Kind.FATAL)
        elif isinstance(news, Event) and news.name not in _ROUTINE:
            kind = Kind.NOTED if news.name in _GRAVE else Kind.USUAL
            add(Lane.QEMU, _event(news.name, news.data), kind=kind, at=news.at)

    def web(self, news: WebNews) -> None:
        """A request was answered, or was not; or the front page said how the services are."""
        if isinstance(news, Status):
            self._look_at_services(news)
            return
        answer = news.answer
        failed = isinstance(answer, NoAnswer) or answer.status >= 400
        self._time_line.add(
            Lane.HTTP,
            f"{news.method} {news.path}: {answer if isinstance(answer, NoAnswer) else answer.status}",
            kind=Kind.NOTED if failed else Kind.USUAL,
            at=news.began,
            end=news.ended,
        )

    def ssh(self, talk: Talk) -> None:
        """Something was done over SSH."""
        kind = Kind.USUAL if talk.well else Kind.NOTED
        self._time_line.add(
            Lane.SSH, f"{talk.what}: {talk.outcome}", kind=kind, at=talk.began, end=self._time_line.clock()
        )

    def sent(self, endpoint: str, sent: int, size: int) -> None:
        """Some bytes of an upload have gone."""
        before = self._gone.get(endpoint, 0)
        if sent <= before:
            before = 0  # another upload
        self._gone[endpoint] = sent
        self.uploaded += sent - before
        step, last = (gone * 100 // max(size, 1) // STEP * STEP for gone in (sent, before))
        if step != last:
            self._time_line.add(Lane.UPDATE, f"{endpoint}: {step} % of {size / 1e6:.1f} MB sent")

    def _look_at_services(self, status: Status) -> None:
        for now in status.services if status.supervising else ():
            before = self._services.get(now.path)
            self._services[now.path] = now
            state = (now.pid, now.stopped)
            if before is not None and state == (before.pid, before.stopped):
                continue
            if now.stopped:
                says = "stopped" if before is not None or now.pid else "not started"
            else:
                anew = before is not None and not before.stopped
                says = f"runs {'anew, ' if anew else ''}as {now.pid}"
            self._time_line.add(Lane.SERVICES, f"{now.name} {says}")


def _event(name: str, data: Mapping[str, Any]) -> str:
    """A QMP event in one line."""
    words = [
        f"{key} {value}" for key, value in data.items() if isinstance(value, str | int) and value is not False
    ]
    return f"{name}{': ' if words else ''}{', '.join(words)}"
