"""Time: asked of a time server, awaited by who needs it, kept over a reboot, and never made up."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_any_firmware, pytest.mark.gk_needs("http")]

THEN = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
DHCP, NTP = "/gokrazy/dhcp", "/gokrazy/ntp"
POOL = ("pool.ntp.org",)
"""The servers that it asks unless its flags name others."""
NEAR = timedelta(minutes=5)


def is_address(name):
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def servers(appliance):
    """The names of the servers that the device's client for the time asks."""
    running = {one.path: one for one in appliance.status().services if not one.stopped}
    if not {DHCP, NTP} <= set(running):
        pytest.skip("not applicable: the device does not run gokrazy's clients for address and time")
    names = running[NTP].args[1:]
    if any(is_address(name.partition(":")[0]) for name in names):
        pytest.skip(f"not applicable: its client asks an address that nobody here can have: {' '.join(names)}")
    return names or POOL


def give_the_time(appliance):
    """Say by a server that it is ``THEN``, and wait until the clock is set; returns what was said."""
    with appliance.time_server(THEN, domains=servers(appliance)) as server:
        # The next lease says where names are answered, and a client that has failed may be waiting.
        appliance.restart(DHCP)
        server.wait_until_known(appliance.budget.service)
        appliance.restart(NTP)
        told = server.wait_until_asked(appliance.budget.service).told
        with appliance.log_stream(NTP) as log:
            log.wait_for(rf"clock set to {told:%Y-%m-%d %H:%M}", appliance.budget.service)
        return told


@pytest.mark.gk_shows("an NTP client sets the clock")
def test_the_clock_is_set_by_the_time_server(appliance):
    assert abs(appliance.read_clock() - THEN) > NEAR
    told = give_the_time(appliance)
    assert told <= appliance.read_clock() + timedelta(seconds=2)
    assert appliance.read_clock() < told + NEAR


@pytest.mark.gk_image("crasher")
@pytest.mark.gk_board("raspi-virt")
@pytest.mark.gk_clock("unset")
def test_what_needs_the_time_starts_once_a_server_says_it_and_not_before(appliance):
    with appliance.log_stream(NTP) as log:
        log.wait_for("setting time failed: ", appliance.budget.service)
    assert appliance.read_clock().year == 1970, "it is not 1970, and nobody has said what time it is"
    waits = appliance.service("clock")
    assert (waits.pid, waits.stopped, waits.started) == (0, False, None), "it did not wait for the clock"
    told = give_the_time(appliance)
    appliance.wait_for_service("clock", lambda service: service.pid > 0, "running")
    with appliance.log_stream("clock", "stderr") as log:
        log.wait_for("gokrazy: waiting for clock to be synced", appliance.budget.service)
    with appliance.log_stream("clock", "stdout") as log:
        log.wait_for(rf"started at {told:%Y-%m-%dT%H}:", appliance.budget.service)


@pytest.mark.gk_image("crasher")
@pytest.mark.gk_board("raspi-virt")
@pytest.mark.gk_clock("unset")
@pytest.mark.gk_reboots
@pytest.mark.gk_needs("perm")
def test_the_time_survives_a_reboot_without_a_server(appliance):
    told = give_the_time(appliance)
    appliance.reboot()
    with appliance.log_stream(NTP) as log:
        log.wait_for(r"clock set to .* \(from ntp-time-at-last-shutdown\)", appliance.budget.service)
    assert told < appliance.read_clock() < told + NEAR
    appliance.wait_for_service("clock", lambda service: service.pid > 0, "running")
