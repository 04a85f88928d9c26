"""Size: a release that takes more room, memory or time than its owner allows (gk_limits) is no release."""

import json

import pytest

from harness.appliance.limits import Limits
from harness.image.room import room_of
from harness.lab.sizes import memory_at_rest, own_image, slower
from harness.package_data import images_folder
from harness.plugin import LAB

pytestmark = pytest.mark.gk_tier("ci")


@pytest.fixture
def lab(request):
    return request.config.stash[LAB]


@pytest.fixture
def most(lab, board):
    """Gives the limit of this name; skips where there is none."""
    limits = lab.settings.most
    if limits == Limits() and lab.settings.is_own:
        name = lab.images.image(board, "hello").hostname
        limits = Limits(**json.loads((images_folder() / "limits.json").read_text("utf-8"))[name])

    def limit(name):
        if getattr(limits, name) is None:
            pytest.skip(f"not applicable: no limit is set for it (gk_limits, {name}: NUMBER)")
        return getattr(limits, name)

    return limit


@pytest.mark.gk_shows("it takes little room")
@pytest.mark.gk_any_firmware
@pytest.mark.gk_needs("image")
@pytest.mark.parametrize("what", ["root", "bootfs"])
def test_a_file_system_is_no_larger_than_its_limit(most, what, appliance_off):
    limit, room = most(what), room_of(appliance_off.image)
    takes = {"root": room.root, "bootfs": room.boot}[what]
    assert takes <= limit, f"{what} takes {takes:.1f} MiB, and may take {limit:g}"


@pytest.fixture
def most_memory(most):
    return most("memory")


@pytest.mark.gk_shows("it needs little memory at rest")
@pytest.mark.gk_needs("http")
@pytest.mark.gk_any_firmware
def test_it_needs_no_more_memory_at_rest_than_its_limit(most_memory, appliance):
    if not appliance.is_emulated:
        pytest.skip("not applicable: of a real device nobody says how much memory it has")
    takes = memory_at_rest(appliance)
    assert takes <= most_memory, f"it takes {takes:.1f} MiB of memory at rest, and may take {most_memory:g}"


@pytest.fixture
def longest_boot(most):
    return most("boot")


@pytest.mark.gk_shows("it boots in seconds")
@pytest.mark.gk_needs("image", "power")
@pytest.mark.gk_any_firmware
def test_it_boots_no_slower_than_its_limit(longest_boot, lab, appliance_off):
    board, image = appliance_off.board, appliance_off.image
    took = slower(lab, board, (image, own_image(lab, board)), longest_boot)
    assert not took.is_beyond, f"it boots {took} as the project's own image, and may {longest_boot:g}"
