"""The screen: what the kernel and a status program draw on it, as a picture."""

import pytest

BARS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
"""The colours that the program screen draws, from the left."""


def is_about(seen, wanted):
    """Whether a pixel has this colour; one of 16 bits is a little off."""
    return all(abs(one - other) <= 8 for one, other in zip(seen, wanted, strict=True))


# What QEMU shows of a Raspberry Pi's screen is not known well enough to judge it.
@pytest.mark.gk_tier("nightly")
@pytest.mark.gk_board("pc-bios", "pc-uefi")
@pytest.mark.gk_needs("screen")
def test_the_screen_is_not_black(appliance):
    shown = appliance.screenshot()
    assert shown.shows_something, f"nothing is on its screen of {shown.width} by {shown.height} pixels"


# SQLite, which is in the same image, takes a minute to compile.
@pytest.mark.gk_tier("nightly")
@pytest.mark.gk_shows("a status program draws on a screen")
@pytest.mark.gk_board("pc-bios", "pc-uefi")
@pytest.mark.gk_image("field")
@pytest.mark.gk_needs("screen")
def test_what_a_status_program_draws_is_on_the_screen(appliance):
    def look(shown):
        seen = [shown.pixel((2 * bar + 1) * shown.width // 8, shown.height - 1) for bar in range(4)]
        return "" if all(map(is_about, seen, BARS)) else f"the colours {seen}"

    appliance.wait_until_shown("the bars of the program screen", look)


@pytest.mark.gk_tier("nightly")
@pytest.mark.gk_board("pc-bios", "pc-uefi")
@pytest.mark.gk_image("field")
@pytest.mark.gk_needs("screen")
def test_a_picture_can_be_taken_while_it_starts(appliance_off):
    appliance_off.power_on()
    appliance_off.wait_for_boot(after=0)
    appliance_off.wait_until_shown("a word", lambda shown: "" if shown.shows_something else "nothing")
    appliance_off.wait_until_ready()
