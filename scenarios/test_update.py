"""Update: into the inactive slot, flip, there and back, and the data stays."""

import pytest

from harness.errors import DeviceUnreachable, RequestRefused, UpdateMismatch
from harness.faults.payload import cut_short, flip_one_bit
from harness.image.digest import content_digest

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_needs("http", "slot")]

NOTE = "/perm/gokharness-note"


@pytest.mark.gk_reboots
@pytest.mark.gk_uploads
def test_update_flips_the_slot_and_back_and_keeps_the_data(appliance, next_image):
    first = appliance.image
    has_data = appliance.applies("whether data in /perm outlives an update", "breakglass", "perm")
    if has_data:
        with appliance.breakglass() as rescue:
            rescue.put_bytes(b"written before the update", NOTE)
    for image in (next_image, first):
        before = appliance.slot
        appliance.update(image)
        assert appliance.slot != before
        assert appliance.runs(image)

        # amd64 reboots by kexec, which skips firmware, boot sector and boot loader: a cold boot must agree.
        flipped = appliance.slot
        appliance.cold_boot()
        assert appliance.slot == flipped
        assert appliance.runs(image)
        assert appliance.boot_files.slots == {flipped}
        if has_data:
            with appliance.breakglass() as rescue:
                assert rescue.get_bytes(NOTE) == b"written before the update"


@pytest.mark.gk_board("raspi3b", "raspi4b")
def test_the_device_flips_to_a_seeded_slot(appliance_off, next_image):
    """What the update scenario is where an upload takes ten minutes: the slot is filled while the power is off."""
    flip_to_the_seeded_slot(appliance_off, next_image)


@pytest.mark.gk_board("raspi3b", "raspi4b")
@pytest.mark.gk_tier("nightly")
@pytest.mark.gk_needs("breakglass", "perm")
def test_the_device_flips_to_a_seeded_slot_and_back_and_keeps_the_data(appliance_off, next_image):
    appliance, first, slot = appliance_off, appliance_off.image, appliance_off.first_slot

    def write():
        with appliance.breakglass() as rescue:
            rescue.put_bytes(b"written before the flip", NOTE)

    flip_to_the_seeded_slot(appliance, next_image, before_the_flip=write)
    appliance.flip(first)
    assert appliance.slot == slot
    assert appliance.runs(first)
    with appliance.breakglass() as rescue:
        assert rescue.get_bytes(NOTE) == b"written before the flip"
    appliance.power_off()
    assert appliance.read_boot_files().slots == {slot}
    assert content_digest(first.path) == first.digest, "the image was written to"


def flip_to_the_seeded_slot(appliance, next_image, before_the_flip=lambda: None):
    """Fill the slot that is down, boot from the other, and have the device switch and reboot."""
    seeded = appliance.seed_inactive(next_image)
    assert seeded != appliance.first_slot
    appliance.power_on()
    appliance.wait_until_ready()
    assert appliance.slot == appliance.first_slot
    assert appliance.runs(appliance.image)
    before_the_flip()
    appliance.flip(next_image)
    assert appliance.slot == seeded
    assert appliance.runs(next_image)


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
    assert appliance.runs(appliance.image)
    appliance.cut_power()
    assert appliance.read_boot_files().slots == {before}


@pytest.mark.gk_uploads
def test_an_upload_that_breaks_off_is_noticed_and_nothing_flips(appliance, next_image):
    before = appliance.slot
    with appliance.console.allow("update-failed"), pytest.raises((RequestRefused, DeviceUnreachable)):
        appliance.send_root(next_image, mangle=cut_short)
    assert appliance.runs(appliance.image)
    appliance.cut_power()
    assert appliance.read_boot_files().slots == {before}


@pytest.mark.gk_uploads
def test_the_boot_file_system_alone_then_the_mbr_keep_the_slot(appliance, next_image):
    before = appliance.slot
    appliance.update_boot_only(next_image)
    appliance.cold_boot()
    assert appliance.slot == before
    assert appliance.runs(appliance.image)
    assert appliance.boot_files.slots == {before}
