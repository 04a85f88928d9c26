"""The screen: what the kernel and a status program draw on it, as a picture."""

import threading

import pytest

from harness.gokrazy.waiting import Done, NotYet, poll

BARS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
"""The colours that the program screen draws, from the left."""


def is_about(seen, wanted):
    """Whether a pixel has this colour; one of 16 bits is a little off."""
    return all(abs(one - other) <= 8 for one, other in zip(seen, wanted, strict=True))


@pytest.mark.gk_tier("nightly")
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
    def look(_):
        shown = appliance.screenshot()
        seen = [shown.pixel((2 * bar + 1) * shown.width // 8, shown.height - 1) for bar in range(4)]
        return Done(seen) if all(map(is_about, seen, BARS)) else NotYet(f"the colours {seen}")

    poll("the bars of the program screen", appliance.budget.service, look, where="screen", check=appliance.check)


@pytest.mark.gk_tier("nightly")
@pytest.mark.gk_board("pc-bios", "pc-uefi")
@pytest.mark.gk_image("field")
@pytest.mark.gk_needs("screen")
def test_a_picture_can_be_taken_while_it_starts(appliance_off):
    appliance_off.power_on()
    appliance_off.wait_for_boot(after=0)
    taken = [appliance_off.screenshot()]
    never = threading.Event()
    while not taken[-1].shows_something and len(taken) < 200:
        never.wait(0.1)
        taken.append(appliance_off.screenshot())
    appliance_off.wait_until_ready()
    assert taken[-1].shows_something
