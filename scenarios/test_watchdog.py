"""Watchdog: gokrazy feeds it, and a kernel that hangs for good is reset by it."""

import pytest

from harness.faults import kernel

pytestmark = [
    pytest.mark.gk_tier("ci"),
    pytest.mark.gk_image("crasher"),
    pytest.mark.gk_board("raspi-virt"),
    pytest.mark.gk_needs("breakglass-shell", "console"),
]


def test_a_kernel_that_hangs_is_reset_by_the_watchdog_that_gokrazy_feeds(appliance):
    slot = appliance.slot
    with appliance.breakglass() as rescue:
        watchdog = rescue.run("cat /sys/class/watchdog/watchdog0/timeout /sys/class/watchdog/watchdog0/state").text
        # Without this the kernel would restart by itself after ten seconds.
        rescue.run("echo 0 > /proc/sys/kernel/panic")
    timeout, state = watchdog.split()
    assert state == "active"
    fall = kernel.panic(appliance)
    # The last feed came up to a second before the crash; the emulated clock and the console lag behind ours.
    assert float(timeout) - 3 < fall.seconds < float(timeout) + 15
    appliance.wait_until_ready()
    assert appliance.slot == slot
