"""Permanent data: /perm has the room of its partition, and the device serves without it as well."""

import pytest

from harness.faults import disk, perm

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_any_firmware, pytest.mark.gk_needs("http", "perm")]

NOT_DATA = 0.2
"""The share of a file system that its own tables take at most: a small one has a large journal."""
OURS = ("/gokrazy/", "gokrazy.test/")
"""Paths and packages of what must live without data: of other programs nobody knows that."""


def judged(appliance):
    """The paths of the services that must live without data, but the one by which /perm is filled."""
    services = [one for one in appliance.image.services if one.name != "breakglass"]
    return [one.path for one in services if one.path.startswith(OURS) or one.package.startswith(OURS)]


def processes(appliance):
    """The processes of the services that are judged."""
    paths = judged(appliance)
    return {one.path: (one.pid, one.started) for one in appliance.status().services if one.path in paths}


def must_be_its_partition(appliance):
    """Skip where /perm is no partition of the image's disk."""
    if appliance.image.perm_is_elsewhere:
        pytest.skip("not applicable: MountDevices puts another disk on /perm")


def test_it_has_the_room_of_its_partition(appliance):
    must_be_its_partition(appliance)
    status = appliance.status()
    assert status.perm_is_mounted
    assert status.perm_uuid
    size = appliance.image.layout.perm.size
    assert size * (1 - NOT_DATA) < status.perm_total <= size, "/perm has another size than its partition"


@pytest.mark.gk_needs("breakglass-shell")
def test_a_full_one_takes_nothing_down_and_can_be_emptied(appliance):
    appliance.wait_until_settled()
    before = processes(appliance)
    with perm.full(appliance):
        with appliance.breakglass() as rescue:
            # A file of a few bytes may need no room of its own: some file systems keep it beside its name.
            failed = rescue.run(f"dd if=/dev/zero of=/perm/more bs={perm.LEFT} count=2 && sync", check=False)
            assert failed.status
            assert "No space left" in f"{failed.text}{failed.error_text}"
        assert appliance.status().perm_available < perm.LEFT
    assert processes(appliance) == before, "a service did not live through a full /perm"
    with appliance.breakglass() as rescue:
        rescue.run("echo more > /perm/more && sync && rm /perm/more")


@pytest.mark.gk_needs("disk")
@pytest.mark.gk_allow("perm-not-mounted")
def test_a_blank_one_keeps_nothing_and_the_device_serves_all_the_same(appliance_off):
    if appliance_off.image.formatter is not None:
        pytest.skip("not applicable: a program of the image formats a blank /perm")
    must_be_its_partition(appliance_off)
    disk.blank_perm(appliance_off)
    appliance_off.power_on()
    appliance_off.wait_until_ready()
    status = appliance_off.status()
    assert not status.perm_is_mounted
    paths = judged(appliance_off)
    appliance_off.wait_until_settled(besides=[one.path for one in status.services if one.path not in paths])
    for path in paths:
        appliance_off.check_service(path)
