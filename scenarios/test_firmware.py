"""Firmware: what config.txt asks for reaches the kernel, and a card that nothing can be started from says why."""

import pytest

from harness.errors import FirmwareFailure
from harness.faults.damage import edit_boot_file

pytestmark = [pytest.mark.gk_tier("ci")]

OVERLAY = b"dtoverlay=disable-wifi\n"
WIFI = "/proc/device-tree/soc/mmcnr@7e300000/status"


def with_overlay(config):
    """config.txt with the overlay in place of its first comment, and as long as before."""
    comment, _, rest = config.partition(b"\n")
    assert comment.startswith(b"#")
    assert len(comment) > len(OVERLAY)
    return OVERLAY + comment[: len(comment) - len(OVERLAY)] + b"\n" + rest


@pytest.mark.gk_board("raspi3b", "raspi4b")
@pytest.mark.gk_image("crasher")  # the project's own: another's config.txt may have no such comment
@pytest.mark.gk_needs("breakglass")
def test_an_overlay_that_config_txt_names_is_in_the_running_device_tree(appliance_off):
    edit_boot_file(appliance_off.power.overlay, appliance_off.image, "config.txt", with_overlay)
    appliance_off.power_on()
    appliance_off.wait_until_ready()
    with appliance_off.breakglass() as rescue:
        assert rescue.run(f"cat {WIFI}").text.strip("\0\n") == "disabled"
        assert "Raspberry Pi" in rescue.run("cat /proc/device-tree/model").text


@pytest.mark.gk_board("virt", "raspi-virt", "raspi3b", "raspi4b")
def test_a_card_without_a_command_line_is_not_started_and_says_why(appliance_off):
    edit_boot_file(appliance_off.power.overlay, appliance_off.image, "cmdline.txt", lambda old: bytes(len(old)))
    with pytest.raises(FirmwareFailure, match=r"cmdline\.txt in the boot partition is empty"):
        appliance_off.power_on()
