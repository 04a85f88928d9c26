"""Size: a release that takes more room, memory or time than its owner allows (gk_limits) is no release."""

import pytest

from harness.errors import ApplianceFault

GREW = "compare its bill of materials and its console with those of the last release, or raise the limit"

pytestmark = [pytest.mark.gk_tier("ci"), pytest.mark.gk_any_firmware]


@pytest.fixture(params=["root", "bootfs"])
def file_system(request, most):
    """Which one, and MiB that it may take."""
    return request.param, most(request.param)


@pytest.mark.gk_shows("it takes little room")
@pytest.mark.gk_needs("image")
def test_a_file_system_is_no_larger_than_its_limit(file_system, appliance_off):
    name, most = file_system
    takes = {"root": appliance_off.room.root, "bootfs": appliance_off.room.boot}[name]
    if takes > most:
        raise ApplianceFault(f"{name} takes {takes:.1f} MiB, and may take {most:g} (gk_limits)", hint=GREW)


@pytest.fixture
def most_memory(most):
    """MiB; asked for before an appliance is, which takes longer."""
    return most("memory")


@pytest.mark.gk_shows("it needs little memory at rest")
@pytest.mark.gk_needs("http", "image")
def test_it_needs_no_more_memory_at_rest_than_its_limit(most_memory, appliance):
    if not appliance.is_emulated:
        pytest.skip("not applicable: nobody says how much memory a real device has in all")
    takes = appliance.memory_at_rest()
    if takes > most_memory:
        raise ApplianceFault(
            f"it takes {takes:.1f} MiB of memory at rest, and may take {most_memory:g} (gk_limits)", hint=GREW
        )


@pytest.fixture
def longest_boot(most):
    """How many times as long as the project's own image."""
    return most("boot")


@pytest.mark.gk_shows("it boots in seconds")
@pytest.mark.gk_needs("image", "power")
def test_it_boots_no_slower_than_its_limit(longest_boot, beside_own, appliance_off):
    took = beside_own(appliance_off, longest_boot)
    if took.is_beyond:
        raise ApplianceFault(
            f"it boots {took} as the project's own image, and may {longest_boot:g} (gk_limits)", hint=GREW
        )
