"""Wrong architecture: an update for it is not sent; one that was flashed all the same is named, and undone."""

from dataclasses import replace

import pytest

from harness.errors import ApplianceFault, BoardMismatch

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_needs("http", "slot", "update")]


@pytest.mark.gk_shows("a program is built without C, for the device's architecture")
@pytest.mark.gk_any_firmware
def test_an_update_for_another_architecture_is_refused_before_anything_is_sent(appliance):
    other = "arm64" if appliance.image.arch == "amd64" else "amd64"
    foreign = replace(appliance.image, arch=other)
    slot = appliance.slot
    for send in (appliance.update, appliance.update_boot_only, appliance.send_root):
        with pytest.raises(BoardMismatch, match=f"not sent: it is built for {other}"):
            send(foreign)
    sent = [one.text for one in appliance.time_line.happenings if one.lane == "update"]
    assert sent == []
    assert appliance.slot == slot
    assert appliance.runs(appliance.image)


@pytest.fixture
def named_and_brought_back(foreign_image, leave_note):
    """Has a device take what is foreign, hears what is said of it, and brings the device back."""

    def check(appliance, flash, part):
        first, slot = appliance.image, appliance.slot
        check_note = leave_note(appliance, b"written before the wrong update")
        # It cannot start; what it says of that is what is tested.
        with pytest.raises(ApplianceFault) as raised:
            flash(appliance, foreign_image)
        appliance.explain(raised.value)
        expected = f"{part}.* is for {foreign_image.arch}, and {appliance.board.name} is {first.arch}"
        raised.match(expected)
        assert "put the boot files of the image that ran before back" in raised.value.hint

        appliance.cut_power()
        assert appliance.put_back(first) == slot
        appliance.power_on()
        appliance.wait_until_ready()
        assert appliance.slot == slot
        assert appliance.runs(first)
        check_note()

    return check


@pytest.mark.gk_shows("an image for another architecture takes a recovery by hand")
@pytest.mark.gk_tier("nightly")
@pytest.mark.gk_board("virt", "pc-bios", "pc-uefi")
@pytest.mark.gk_reboots
@pytest.mark.gk_uploads
def test_a_whole_update_for_another_architecture_is_named_and_undone(appliance, named_and_brought_back):
    def flash(device, image):
        device.update(image, force=True)

    named_and_brought_back(appliance, flash, "the kernel in the boot partition")


@pytest.mark.gk_shows("an image for another architecture takes a recovery by hand")
@pytest.mark.gk_tier("nightly")
@pytest.mark.gk_board("virt", "pc-bios")
@pytest.mark.gk_reboots
@pytest.mark.gk_uploads
def test_a_root_file_system_for_another_architecture_is_named_and_undone(appliance, named_and_brought_back):
    """What gok sends where GOARCH is forgotten, and the KernelPackage is right."""

    def flash(device, image):
        device.send_root(image, force=True)
        device.flip(image)

    named_and_brought_back(appliance, flash, "/gokrazy/init in slot B")
