"""Firmware: what config.txt asks for reaches the kernel, and a card that nothing can be started from says why."""

import pytest

from harness.errors import FirmwareFailure
from harness.faults import disk

pytestmark = [pytest.mark.gk_tier("ci")]

ASKED = b"dtparam=spi=on\ndtoverlay=act-led,gpio=17\n"
TREE = "/proc/device-tree"


def with_what_is_asked(config):
    """config.txt with the lines in place of its first comment, and as long as before."""
    comment, _, rest = config.partition(b"\n")
    assert comment.startswith(b"#")
    assert len(comment) > len(ASKED)
    return ASKED + comment[: len(comment) - len(ASKED)] + b"\n" + rest


@pytest.mark.gk_shows("firmware files and boot loader of the image start it")
@pytest.mark.gk_board("raspi3b", "raspi4b")
@pytest.mark.gk_image("crasher")  # the project's own: another's config.txt may have no such comment
@pytest.mark.gk_needs("breakglass-shell")
def test_what_config_txt_asks_for_is_in_the_running_device_tree(appliance_off):
    appliance_off.edit_boot_file("config.txt", with_what_is_asked)
    appliance_off.power_on()
    appliance_off.wait_until_ready()
    with appliance_off.breakglass() as rescue:
        assert rescue.run(f"cat {TREE}/soc/spi@7e204000/status").text.strip("\0\n") == "okay"
        # A phandle, the pin, and its flags: the overlay's parameter set the second.
        assert rescue.run(f"od -An -tx4 {TREE}/leds/led-act/gpios").text.split()[1] == "11000000"
        assert "Raspberry Pi" in rescue.run(f"cat {TREE}/model").text


@pytest.mark.gk_board("virt", "raspi-virt", "raspi3b", "raspi4b")
def test_a_card_without_a_command_line_is_not_started_and_says_why(appliance_off):
    disk.zero_boot_file(appliance_off, "cmdline.txt")
    with pytest.raises(FirmwareFailure, match=r"cmdline\.txt in the boot partition is empty"):
        appliance_off.power_on()
