"""Release: the image that is out there takes the candidate, and can go back. Runs when ``--gk-from`` names it."""

import pytest

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_image("from"), pytest.mark.gk_needs("http", "slot")]


@pytest.mark.gk_shows("a new version overwrites a root file system, and data stays")
@pytest.mark.gk_reboots
def test_the_released_image_updates_to_the_candidate_and_back(appliance, next_image, leave_note):
    check_note = leave_note(appliance, b"from before", looks_at="whether data in /perm outlives an update")
    for image in (next_image, appliance.image):
        before = appliance.slot
        appliance.update(image)
        assert appliance.slot != before
        assert appliance.runs(image)
        appliance.wait_until_settled()
        for service in appliance.image.services:
            appliance.check_service(service.path)
        check_note()
        flipped = appliance.slot
        appliance.cold_boot()
        assert appliance.slot == flipped
        assert appliance.runs(image)
    assert len(appliance.downtimes) == 2
