"""Configuration: the device does on its network what config.json and /perm say."""

import re

import pytest

from harness.errors import AuthenticationRefused

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_any_firmware, pytest.mark.gk_needs("http")]


def dhcp_client(appliance):
    """The DHCP client, where the device has its address from it."""
    found = next((one for one in appliance.status().services if one.path == "/gokrazy/dhcp"), None)
    if found is None:
        pytest.skip("not applicable: the image has no DHCP client of gokrazy's")
    if found.stopped:
        pytest.skip("not applicable: the DHCP client has ended: its flags give the device an address of its own")
    return found


@pytest.mark.gk_shows("the network is configured by DHCP, without a file", "its hostname is announced over DHCP")
def test_the_host_name_is_announced_over_dhcp_and_the_address_taken(appliance):
    client = dhcp_client(appliance)
    with appliance.capture() as packets:
        appliance.restart(client.path)
        given = packets.wait_for_dhcp("ack", timeout=appliance.budget.service)
    asked = [message for message in packets.dhcp if message.kind in ("discover", "request")]
    assert {message.kind for message in asked} == {"discover", "request"}
    assert {message.hostname for message in asked} == {appliance.running.hostname}
    assert given.address in appliance.status().private_addresses


@pytest.mark.gk_needs("perm-files", "disk")
def test_what_perm_says_of_password_and_log_server_counts_from_the_start(appliance_off):
    of_the_image = appliance_off.running.password
    appliance_off.set_password("another one than that of the image")
    with appliance_off.log_server() as server:
        appliance_off.power_on()
        appliance_off.wait_until_ready()
        with pytest.raises(AuthenticationRefused):
            appliance_off.device_with_password(of_the_image).status()
        started = [one.path for one in appliance_off.status().services if one.started is not None]
        for path in started:
            # Until there is a network, init keeps the last 100 lines of each: a talkative one's first are lost.
            said = server.wait_for("", by=path, timeout=appliance_off.budget.service)
            assert said.hostname == appliance_off.running.hostname
        if started:
            # Init says that in the log of each service, before all that the service says.
            begins = rf"attempt \d+, starting .*({'|'.join(map(re.escape, started))})"
            server.wait_for(begins, timeout=appliance_off.budget.service)


@pytest.mark.gk_needs("breakglass-shell")
def test_every_device_of_mountdevices_is_mounted_and_takes_data(appliance):
    for device in appliance.mount_devices():
        mounted = appliance.wait_until_mounted(device)
        missing = mounted.lacks(device)
        assert not missing, f"{mounted} is mounted without {', '.join(missing)}"
        if "ro" not in mounted.options:
            note = f"{mounted.target}/gokharness-note"
            with appliance.breakglass() as rescue:
                assert rescue.run(f"echo kept > {note} && sync && cat {note} && rm {note}").text == "kept"
