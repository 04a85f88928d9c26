"""The client library that gokrazy itself publishes updates the device as ours does, byte for byte."""

import pytest

pytestmark = [
    pytest.mark.gk_tier("ci"),
    pytest.mark.gk_board("virt"),
    pytest.mark.gk_reboots,
    pytest.mark.gk_uploads,
    pytest.mark.gk_needs("http", "update", "disk", "slot", "checkpoint"),
]


@pytest.mark.gk_shows("gok update, the stock client, updates a device")
def test_both_clients_flip_the_device_and_leave_the_same_partitions(appliance, next_image, stock, partitions):
    before = appliance.slot
    appliance.checkpoint("before")
    left = []
    for update in (appliance.update, lambda image: appliance.update_with(image, stock)):
        appliance.rewind("before")
        update(next_image)
        flipped = appliance.slot
        assert flipped != before
        assert appliance.runs(next_image)
        appliance.cut_power()
        assert appliance.read_boot_files().slots == {flipped}
        left.append(partitions(appliance))
    ours, theirs = left
    assert theirs == ours
    assert ours["root_a"] != ours["root_b"]
