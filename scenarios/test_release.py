"""Release: the image that is out there takes the candidate, and can go back. Runs when ``--gk-from`` names it."""

import pytest

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_image("from"), pytest.mark.gk_needs("http", "slot")]

NOTE = "/perm/gokharness-release-note"


@pytest.mark.gk_reboots
def test_the_released_image_updates_to_the_candidate_and_back(appliance, next_image):
    has_data = appliance.applies("whether data in /perm outlives an update", "breakglass", "perm")
    if has_data:
        with appliance.breakglass() as rescue:
            rescue.put_bytes(b"from before", NOTE)
    for image in (next_image, appliance.image):
        before = appliance.slot
        appliance.update(image)
        assert appliance.slot != before
        assert appliance.runs(image)
        appliance.wait_until_settled()
        assert [service.path for service in appliance.image.services if appliance.trouble_with(service.path)] == []
        if has_data:
            with appliance.breakglass() as rescue:
                assert rescue.get_bytes(NOTE) == b"from before"
        flipped = appliance.slot
        appliance.cold_boot()
        assert appliance.slot == flipped
        assert appliance.runs(image)
    assert len(appliance.downtimes) == 2
