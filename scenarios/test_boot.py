"""Boot: the appliance comes up by itself, and what came up is what was built."""

import pytest

from harness.errors import AuthenticationRefused

pytestmark = pytest.mark.gk_tier("ci")


@pytest.mark.gk_needs("console")
def test_the_appliance_boots_from_power_on_to_its_web_interface(appliance_off):
    appliance_off.power_on()
    appliance_off.wait_until_ready()

    boot = appliance_off.console.current
    assert boot.ordered("kernel", "root", "init", "build", "inactive-root", "listening")
    assert boot.value("build") == appliance_off.image.build or not appliance_off.image.build
    assert boot.slot == "A"
    assert appliance_off.slot == "A"


def test_the_web_interface_asks_for_the_password(appliance):
    assert appliance.status().hostname == appliance.image.hostname
    for wrong in (None, "not-the-password", ""):
        with pytest.raises(AuthenticationRefused):
            appliance.device_with_password(wrong).status()


def test_the_hostname_is_the_one_in_the_image(appliance):
    assert appliance.status().hostname == appliance.image.hostname
    if appliance.can("breakglass"):
        with appliance.breakglass() as rescue:
            assert rescue.run("cat /proc/sys/kernel/hostname").stdout.strip() == appliance.image.hostname


@pytest.mark.gk_needs("breakglass")
def test_the_root_file_system_is_read_only(appliance):
    with appliance.breakglass() as rescue:
        mounts = [line.split() for line in rescue.run("cat /proc/mounts").stdout.splitlines()]
        (root,) = [mount for mount in mounts if mount[1] == "/" and mount[2] != "rootfs"]
        assert root[2] == "squashfs"
        assert "ro" in root[3].split(",")
        attempt = rescue.run("echo x > /etc/written", check=False)
        assert attempt.status != 0
        assert "read-only file system" in (attempt.stdout + attempt.stderr).lower()


@pytest.mark.gk_needs("breakglass")
def test_the_kernel_is_the_one_in_the_image(appliance):
    with appliance.breakglass() as rescue:
        running = rescue.run("cat /proc/sys/kernel/osrelease").stdout.strip()
    assert running == appliance.image.kernel.release


@pytest.mark.gk_needs("breakglass")
def test_kernel_and_modules_fit_each_other(appliance):
    with appliance.breakglass() as rescue:
        running = rescue.run("cat /proc/sys/kernel/osrelease").stdout.strip()
        modules = rescue.run("ls /lib/modules").stdout.split()
    with appliance.demand("kernel-and-modules-fit"):
        assert modules == [running]


def test_every_service_is_in_its_expected_state(appliance):
    expected = appliance.image.services
    running = {service.path: service for service in appliance.status().services}
    assert set(running) >= {service.path for service in expected}
    for service in expected:
        appliance.wait_until_settled(service.path)


@pytest.mark.gk_needs("console")
def test_nothing_on_the_console_says_that_something_is_wrong(appliance):
    assert appliance.console.findings == []
