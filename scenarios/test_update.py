"""Update: into the inactive slot, flip, there and back, and the data stays."""

import pytest

from harness.errors import DeviceUnreachable, RequestRefused, UpdateMismatch
from harness.faults.payload import cut_short, flip_one_bit

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_needs("http", "slot", "update")]


@pytest.mark.gk_shows(
    "an update over the network goes to the other partition, and flips",
    "a new version overwrites a root file system, and data stays",
)
@pytest.mark.gk_reboots
@pytest.mark.gk_uploads
def test_update_flips_the_slot_and_back_and_keeps_the_data(appliance, next_image, leave_note):
    first = appliance.image
    check_note = leave_note(
        appliance, b"written before the update", looks_at="whether data in /perm outlives an update"
    )
    for image in (next_image, first):
        before = appliance.slot
        appliance.update(image)
        assert appliance.slot != before
        assert appliance.runs(image)

        # amd64 reboots by kexec, which skips firmware, boot sector and boot loader: a cold boot must agree.
        flipped = appliance.slot
        if appliance.applies("whether a cold boot agrees with the flip", "power"):
            appliance.cold_boot()
            assert appliance.slot == flipped
            assert appliance.runs(image)
        if appliance.applies("which slot the boot files name", "disk"):
            assert appliance.boot_files.slots == {flipped}
        check_note()


@pytest.mark.gk_board("raspi3b", "raspi4b")
def test_the_device_flips_to_a_seeded_slot(appliance_off, next_image):
    """What the update scenario is where an upload takes ten minutes: the slot is filled while the power is off."""
    seeded = start_beside_a_seeded_slot(appliance_off, next_image)
    flip_to(seeded, appliance_off, next_image)


@pytest.mark.gk_shows("a new version overwrites a root file system, and data stays")
@pytest.mark.gk_board("raspi3b", "raspi4b")
@pytest.mark.gk_tier("nightly")
@pytest.mark.gk_needs("breakglass", "perm")
def test_the_device_flips_to_a_seeded_slot_and_back_and_keeps_the_data(appliance_off, next_image, leave_note):
    appliance, first, slot = appliance_off, appliance_off.image, appliance_off.first_slot
    seeded = start_beside_a_seeded_slot(appliance, next_image)
    check_note = leave_note(appliance, b"written before the flip")
    flip_to(seeded, appliance, next_image)
    flip_to(slot, appliance, first)
    check_note()
    appliance.power_off()
    assert appliance.read_boot_files().slots == {slot}
    assert first.is_intact(), "the image was written to"


def start_beside_a_seeded_slot(appliance, image):
    """Fill the slot that is down with the image, and start the other one; returns the slot that was filled."""
    seeded = appliance.seed_inactive(image)
    assert seeded != appliance.first_slot
    appliance.power_on()
    appliance.wait_until_ready()
    assert appliance.slot == appliance.first_slot
    assert appliance.runs(appliance.image)
    return seeded


def flip_to(slot, appliance, image):
    """Have the device switch to the slot that holds the image, and reboot."""
    appliance.flip(image)
    assert appliance.slot == slot
    assert appliance.runs(image)


@pytest.mark.gk_shows("an update over the network goes to the other partition, and flips")
@pytest.mark.gk_board("raspi4b")
@pytest.mark.gk_tier("nightly")
@pytest.mark.gk_needs("serial-shell")
def test_a_whole_update_goes_over_a_slow_network_too(appliance, next_image):
    before = appliance.slot
    # QEMU's USB controller takes transfers of up to 1536 bytes apart into packets of 64, one in 250 microseconds
    # (hcd-dwc2.c, dwc2_enable_chan). The kernel receives into buffers of its MTU: larger ones are three times as
    # fast.
    appliance.shell.run("ifconfig eth0 mtu 1600", timeout=appliance.budget.service)
    appliance.update(next_image)
    assert appliance.slot != before
    assert appliance.runs(next_image)


@pytest.mark.gk_uploads
def test_an_upload_that_is_damaged_on_its_way_is_noticed_and_nothing_flips(appliance, next_image):
    before = appliance.slot
    with pytest.raises(UpdateMismatch):
        appliance.send_root(next_image, mangle=flip_one_bit)
    assert_nothing_flipped(appliance, before)


@pytest.mark.gk_uploads
def test_an_upload_that_breaks_off_is_noticed_and_nothing_flips(appliance, next_image):
    before = appliance.slot
    with appliance.console.allow("update-failed"), pytest.raises((RequestRefused, DeviceUnreachable)):
        appliance.send_root(next_image, mangle=cut_short)
    assert_nothing_flipped(appliance, before)


def assert_nothing_flipped(appliance, slot):
    """It still runs the image that it was started with, and its next boot is from this slot."""
    assert appliance.runs(appliance.image)
    if appliance.applies("which slot the boot files name", "disk"):
        appliance.cut_power()
        assert appliance.read_boot_files().slots == {slot}
    else:
        appliance.reboot()
        assert appliance.slot == slot


@pytest.mark.gk_shows("firmware files and boot loader of the image start it")
@pytest.mark.gk_uploads
@pytest.mark.gk_needs("power")
def test_the_boot_file_system_alone_then_the_mbr_keep_the_slot(appliance, next_image):
    before = appliance.slot
    appliance.update_boot_only(next_image)
    appliance.cold_boot()
    assert appliance.slot == before
    assert appliance.runs(appliance.image)
    if appliance.applies("which slot the boot files name", "disk"):
        assert appliance.boot_files.slots == {before}
