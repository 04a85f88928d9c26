"""One starting point for many destructive steps: disk and memory return together."""

import time

import pytest

from harness.errors import OptionError
from harness.faults.disk import zero

pytestmark = [pytest.mark.gk_tier("nightly"), pytest.mark.gk_board("virt", "pc-bios")]


def _lose_the_boot_partition(appliance):
    appliance.cut_power()
    zero(appliance.power.overlay, appliance.image.layout.boot)


def _lose_the_partition_table(appliance):
    appliance.cut_power()
    appliance.power.overlay.write(0, bytes(34 * 512))


def _lose_perm(appliance):
    with appliance.breakglass() as rescue:
        rescue.run("rm -r /perm/*")


DESTRUCTIVE = (
    lambda appliance: appliance.cut_power(),
    lambda appliance: appliance.power_off(),
    lambda appliance: appliance.power.reset(),
    lambda appliance: appliance.power.machine.pause(),
    lambda appliance: appliance.device.reboot(),
    lambda appliance: [appliance.stop(service.path) for service in appliance.status().services if service.pid],
    _lose_the_boot_partition,
    _lose_the_partition_table,
    _lose_perm,
    lambda appliance: appliance.power.off(),
)


def _processes(appliance):
    return {service.path: (service.pid, service.started) for service in appliance.status().services}


@pytest.mark.gk_tier("ci")
@pytest.mark.gk_board("virt")
@pytest.mark.gk_needs("breakglass-shell", "perm")
def test_ten_destructive_steps_begin_at_the_same_moment(appliance):
    with appliance.breakglass() as rescue:
        rescue.run("echo disk > /perm/mine && sync && echo memory > /tmp/mine")
    appliance.checkpoint("here")
    before = _processes(appliance)
    for destroy in DESTRUCTIVE:
        destroy(appliance)
        appliance.rewind("here")
        assert _processes(appliance) == before
    with appliance.breakglass() as rescue:
        assert rescue.run("cat /perm/mine /tmp/mine").text == "disk\nmemory"


@pytest.mark.gk_needs("breakglass-shell")
def test_each_checkpoint_is_a_moment_of_its_own(appliance):
    folder = "/perm" if appliance.applies("whether the disk returns to a checkpoint", "perm") else "/tmp"
    appliance.checkpoint("empty")
    with appliance.breakglass() as rescue:
        rescue.run(f"echo 1 > {folder}/step")
    appliance.checkpoint("full")
    seen = {}
    for name in ("empty", "full", "empty", "full"):
        appliance.rewind(name)
        with appliance.breakglass() as rescue:
            seen.setdefault(name, []).append(rescue.run(f"test -e {folder}/step && echo there || echo none").text)
    assert seen == {"empty": ["none"] * 2, "full": ["there"] * 2}


def test_a_checkpoint_that_is_none_is_told_with_those_that_are(appliance):
    appliance.checkpoint("here")
    with pytest.raises(OptionError, match="there is no checkpoint 'there'") as caught:
        appliance.rewind("there")
    assert "'here'" in caught.value.hint


@pytest.mark.gk_reboots
@pytest.mark.gk_needs("console", "http")
def test_a_rewound_appliance_reboots_as_any_other(appliance):
    appliance.checkpoint("here")
    appliance.cut_power()
    appliance.rewind("here")
    appliance.reboot(kexec=False)
    assert appliance.console.current.cause != "restored"


def _seconds_on(appliance):
    with appliance.breakglass() as rescue:
        return float(rescue.run("date +%s").text)


@pytest.mark.gk_needs("breakglass-shell")
def test_a_clock_that_stood_still_for_an_hour_is_seen_and_set(appliance):
    with appliance.breakglass() as rescue:
        # As a capture made an hour ago has it.
        rescue.run(f"date -u -s @{time.time() - 3600:.0f}")
    appliance.checkpoint("an hour ago")
    assert appliance.clock_behind == pytest.approx(3600, abs=30)
    appliance.correct_clock()
    # To a second or two; more where the host is busy, and far from an hour.
    assert appliance.clock_behind == pytest.approx(0, abs=10)
    assert _seconds_on(appliance) == pytest.approx(time.time(), abs=20)
