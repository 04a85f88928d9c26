"""Permanent data: /perm has the room of its partition, and the device serves without it as well."""

import pytest

from harness.faults import disk, perm

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_any_firmware, pytest.mark.gk_needs("http", "perm")]

NOT_DATA = 0.1
"""The share of a file system that its own tables take at most."""


def processes(appliance):
    return {service.path: (service.pid, service.started) for service in appliance.status().services}


def test_it_has_the_room_of_its_partition(appliance):
    status = appliance.status()
    assert status.perm_is_mounted
    assert status.perm_uuid
    size = appliance.image.layout.perm.size
    assert size * (1 - NOT_DATA) < status.perm_total <= size


@pytest.mark.gk_needs("breakglass-shell")
def test_a_full_one_takes_nothing_down_and_can_be_emptied(appliance):
    appliance.wait_until_settled()
    before = processes(appliance)
    with perm.full(appliance):
        with appliance.breakglass() as rescue:
            failed = rescue.run("echo more > /perm/more && sync /perm/more", check=False)
            assert failed.status
            assert "No space left" in f"{failed.text}{failed.error_text}"
        assert appliance.status().perm_available < perm.LEFT
    now = processes(appliance)
    assert {path: one for path, one in now.items() if path in before and "breakglass" not in path} == {
        path: one for path, one in before.items() if "breakglass" not in path
    }
    with appliance.breakglass() as rescue:
        rescue.run("echo more > /perm/more && sync && rm /perm/more")


@pytest.mark.gk_allow("perm-not-mounted")
def test_a_blank_one_keeps_nothing_and_the_device_serves_all_the_same(appliance_off):
    disk.blank_perm(appliance_off)
    appliance_off.power_on()
    appliance_off.wait_until_ready()
    status = appliance_off.status()
    assert not status.perm_is_mounted
    for service in appliance_off.wait_until_settled().services:
        appliance_off.check_service(service.path)
