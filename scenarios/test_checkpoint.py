"""One starting point for many destructive steps: disk and memory return together."""

import time

import pytest

from harness.errors import OptionError
from harness.faults import disk, power
from harness.faults.events import after_each

pytestmark = [
    pytest.mark.gk_tier("nightly"),
    pytest.mark.gk_board("virt", "pc-bios"),
    pytest.mark.gk_needs("checkpoint"),
]


def processes(appliance):
    return {service.path: (service.pid, service.started) for service in appliance.status().services}


@pytest.mark.gk_tier("ci")
@pytest.mark.gk_board("virt")
@pytest.mark.gk_needs("breakglass-shell", "perm")
def test_nine_destructive_steps_begin_at_the_same_moment(appliance):
    with appliance.breakglass() as rescue:
        rescue.run("echo disk > /perm/mine && sync && echo memory > /tmp/mine")
    appliance.checkpoint("here")
    before = processes(appliance)

    def stop_all_services():
        for service in appliance.status().services:
            if service.pid:
                appliance.stop(service.path)

    def lose_the_boot_partition():
        power.cut(appliance)
        disk.lose_boot_partition(appliance)

    def lose_the_partition_table():
        power.cut(appliance)
        disk.lose_partition_table(appliance)

    def empty_perm():
        with appliance.breakglass() as rescue:
            rescue.run("rm -r /perm/*")

    def all_is_as_before():
        appliance.rewind("here")
        assert processes(appliance) == before

    after_each(
        {
            "power cut": lambda: power.cut(appliance),
            "power off": lambda: appliance.power_off(),
            "reset": lambda: power.reset(appliance),
            "pause": lambda: power.pause(appliance),
            "reboot": lambda: appliance.device.reboot(),
            "all services stopped": stop_all_services,
            "boot partition lost": lose_the_boot_partition,
            "partition table lost": lose_the_partition_table,
            "/perm emptied": empty_perm,
        },
        all_is_as_before,
    )
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


def test_the_error_about_an_unknown_checkpoint_names_those_that_exist(appliance):
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


def seconds_on(appliance):
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
    assert seconds_on(appliance) == pytest.approx(time.time(), abs=20)
