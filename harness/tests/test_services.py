"""What counts as trouble with a service, by how the image wants it started."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from harness.boards import Budget
from harness.gokrazy.client import Device
from harness.gokrazy.status import ServiceStatus
from harness.image.model import Image, Service
from harness.services import Services

WAITS = ServiceStatus(path="/user/one", args=(), pid=0, started=None, stopped=False, diverted="")
RUNS = ServiceStatus(
    path="/user/one", args=(), pid=7, started=datetime(2026, 1, 1, tzinfo=UTC), stopped=False, diverted=""
)


class Played(Services):
    """One service, in one state."""

    def __init__(self, state: ServiceStatus, *, knows: bool, log: str = "") -> None:
        one = Service("/user/one")
        self.image = cast(Image, SimpleNamespace(service=lambda _: one))
        self.budget = Budget()
        self.knows_time = knows
        attempts = 1 if state.started else None
        self._device = cast(
            Device,
            SimpleNamespace(service=lambda _: state, attempts=lambda _: attempts, recent_log=lambda _: [log]),
        )

    @property
    def device(self) -> Device:
        return self._device

    def check(self) -> None:
        pass


@pytest.mark.parametrize("knows", [True, False])
def test_what_waits_for_the_clock_may_wait_only_where_nobody_knows_the_time(knows: bool) -> None:
    log = "1970/01/01 00:00:20 gokrazy: waiting for clock to be synced"
    assert bool(Played(WAITS, knows=knows, log=log).trouble_with("one")) is knows
    assert Played(RUNS, knows=knows, log=log).trouble_with("one") == ""


def test_what_starts_at_boot_must_run_with_or_without_the_time() -> None:
    assert "was not started" in Played(WAITS, knows=False).trouble_with("one")
    assert Played(RUNS, knows=False).trouble_with("one") == ""
