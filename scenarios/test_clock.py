"""Clock: a device that has none begins in 1970, and what waits for the time starts once it is known."""

import json
from datetime import UTC, datetime

import pytest

pytestmark = [
    pytest.mark.gk_tier("ci"),
    pytest.mark.gk_image("crasher"),
    pytest.mark.gk_any_firmware,
    pytest.mark.gk_board("raspi-virt", "raspi3b", "raspi4b"),
]

LAST_SHUTDOWN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def time_on(hello):
    return lambda appliance: datetime.fromtimestamp(json.loads(hello(appliance, "/clock"))["unix"], UTC)


@pytest.mark.gk_shows("a service can wait until the clock is set")
@pytest.mark.gk_clock("unset")
def test_without_the_time_a_service_that_needs_it_waits_for_ever(appliance, time_on):
    appliance.wait_until_settled(besides=("panic-forever",))
    assert time_on(appliance).year == 1970
    clock = appliance.service("clock")
    assert (clock.pid, clock.stopped, clock.started) == (0, False, None)


@pytest.mark.gk_shows("a service can wait until the clock is set")
@pytest.mark.gk_needs("perm")
def test_once_the_time_is_known_it_starts(appliance_off, time_on):
    appliance_off.set_clock(LAST_SHUTDOWN)
    appliance_off.power_on()
    appliance_off.wait_until_ready()
    appliance_off.wait_for_service("clock", lambda service: service.pid > 0, "running")
    assert time_on(appliance_off) > LAST_SHUTDOWN
    with appliance_off.log_stream("clock") as log:
        log.wait_for(r"started at 2026-03-04T05:0", timeout=appliance_off.budget.service)
