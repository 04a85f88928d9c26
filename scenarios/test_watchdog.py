"""Watchdog: gokrazy feeds it, and a kernel that hangs for good is reset by it."""

import re

import pytest

from harness.faults import kernel

FED = re.compile(r"found hardware watchdog .* with timeout (\d+)s, pinging")
pytestmark = [
    pytest.mark.gk_tier("ci"),
    pytest.mark.gk_cold,  # what init said at its start is read
    pytest.mark.gk_image("crasher"),
    pytest.mark.gk_board("raspi-virt", "virt:i6300esb", "pc-bios:i6300esb", "pc-uefi:i6300esb"),
    pytest.mark.gk_needs("breakglass-shell", "console"),
]


def test_a_kernel_that_hangs_is_reset_by_the_watchdog_that_gokrazy_feeds(appliance):
    slot = appliance.slot
    # By init's word: not every kernel shows its watchdogs in /sys.
    fed = [found for line in appliance.console.lines() if (found := FED.search(line.text))]
    assert fed
    timeout = float(fed[-1][1])
    with appliance.breakglass() as rescue:
        # Without this the kernel would restart by itself after ten seconds.
        rescue.run("echo 0 > /proc/sys/kernel/panic")
    fall = kernel.panic(appliance)
    # The last feed came up to a second before the crash; the emulated clock and the console lag behind ours.
    assert timeout - 3 < fall.seconds < timeout + 15
    appliance.wait_until_ready()
    assert appliance.slot == slot
