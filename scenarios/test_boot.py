"""Boot: the appliance comes up by itself, and what came up is what was built."""

import pytest

from harness.console.phases import Cause, Phase
from harness.errors import AuthenticationRefused

pytestmark = pytest.mark.gk_tier("ci")


@pytest.mark.gk_shows("it runs on a Raspberry Pi, in a virtual machine, and on a PC", "it boots in seconds")
@pytest.mark.gk_boot
@pytest.mark.gk_needs("http", "image")
def test_the_appliance_boots_from_power_on_to_its_web_interface(appliance):
    budget = appliance.budget
    limit = budget.ready + (budget.reboot if appliance.image.formats_perm else 0)
    assert 0 < appliance.cold_start.ready < limit
    # Counted by the machine: where no console is heard, a start that falls once would pass for a slow one.
    resets = appliance.cold_start.resets
    assert resets <= (1 if appliance.image.formats_perm else 0), f"it was reset {resets} times before it was up"
    status = appliance.status()
    assert status.hostname == appliance.image.hostname
    assert appliance.image.build in ("", status.build_timestamp)
    if appliance.can("slot"):
        assert appliance.slot == appliance.first_slot


@pytest.mark.gk_shows(
    "init starts and supervises all services, and takes updates over HTTP",
    "hostname, password and serial console are built into the image",
)
@pytest.mark.gk_boot
@pytest.mark.gk_needs("console", "image")
def test_the_console_shows_a_clean_boot_in_the_right_order(appliance):
    start = appliance.cold_start
    boot = start.boot
    boots = [*start.earlier, boot]
    # One boot, unless a program of the image formats /perm and reboots: the second has it mounted.
    twice = appliance.image.formats_perm and appliance.can("http")
    assert [one.cause is Cause.POWER_ON for one in boots] == ([True, False] if twice else [True])
    assert [one.asked for one in boots] == ([False, True] if twice else [False])
    from_the_kernel = (Phase.KERNEL, Phase.ROOT, Phase.INIT) if appliance.voice.kernel else ()
    up = Phase.HTTP if appliance.can("http") else Phase.SOCKET
    for one in boots:
        seconds = [one.at[phase] for phase in (*from_the_kernel, Phase.BUILD)]
        assert seconds == sorted(seconds)
        if appliance.voice.kernel:
            assert appliance.image.kernel.is_release(one.kernel)
        assert one.slot == appliance.first_slot
        assert one.inactive == (3 if one.slot == "A" else 2)
    assert boot.at[Phase.BUILD] <= boot.at[up]
    assert boot.build == appliance.image.build or not appliance.image.build
    assert boot.build == appliance.build
    assert boot.hostname == appliance.image.hostname
    assert start.unclean == ()
    before = len(appliance.console.boots)
    if appliance.can("http"):
        appliance.wait_until_settled()
    assert appliance.console.unclean() == []
    assert len(appliance.console.boots) == before


@pytest.mark.gk_shows("its web interface asks for user name and password")
@pytest.mark.gk_any_firmware
@pytest.mark.gk_needs("http")
def test_the_web_interface_asks_for_the_password(appliance):
    assert appliance.status().hostname == appliance.image.hostname
    for wrong in (None, "not-the-password", ""):
        with pytest.raises(AuthenticationRefused):
            appliance.device_with_password(wrong).status()


@pytest.mark.gk_shows("the root file system is read-only")
@pytest.mark.gk_any_firmware
@pytest.mark.gk_needs("breakglass-shell")
def test_the_root_file_system_is_read_only(appliance):
    with appliance.breakglass() as rescue:
        mounts = [line.split() for line in rescue.run("cat /proc/mounts").text.splitlines()]
        (root,) = [mount for mount in mounts if mount[1] == "/" and mount[2] != "rootfs"]
        assert root[2] == "squashfs"
        assert "ro" in root[3].split(",")
        attempt = rescue.run("echo x > /etc/written", check=False)
        assert attempt.status != 0
        assert "read-only file system" in (attempt.text + attempt.error_text).lower()


@pytest.mark.gk_shows("kernel and modules are the ones that were built, and fit each other")
@pytest.mark.gk_any_firmware
@pytest.mark.gk_needs("breakglass-shell", "image")
def test_kernel_and_modules_are_the_ones_built_and_fit_each_other(appliance):
    with appliance.breakglass() as rescue:
        running = rescue.run("cat /proc/sys/kernel/osrelease").text
        modules = tuple(rescue.run("ls /lib/modules", check=False).text.split())
    assert appliance.image.kernel.is_release(running)
    built = appliance.image.kernel.modules
    assert modules == built, (
        f"it has modules of {' '.join(modules) or 'no kernel'}, and its image of {' '.join(built) or 'none'}"
    )
    # A kernel that has all it needs in itself brings none.
    if modules:
        with appliance.demand("kernel-and-modules-fit"):
            appliance.check_modules(running, modules)


@pytest.mark.gk_shows(
    "several Go programs run as services of one image", "a web interface shows all processes and their state"
)
@pytest.mark.gk_needs("http")
def test_every_service_is_in_its_expected_state(appliance):
    status = appliance.wait_until_calm()
    supervised = {service.path for service in status.services}
    built = {service.path for service in appliance.image.services}
    # Also one whose program the image lacks: its log says so.
    for path in sorted(supervised | built):
        appliance.check_service(path)
    assert supervised == built
