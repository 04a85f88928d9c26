"""How small and how fast: limits as they are typed, the judgement of pairs, and the table."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harness.appliance.limits import Limits, limits
from harness.errors import OptionError
from harness.image.load import load_raw
from harness.image.room import room_of
from harness.image.update_files import update_files
from harness.lab.sizes import FEWEST, MOST, compared
from harness.options import Settings, settings_from
from harness.tests.image import synthetic


def test_limits_are_read_from_the_command_and_from_a_file() -> None:
    assert limits(["memory: 90", "root:40.5,boot : 1.2"]) == Limits(memory=90, root=40.5, boot=1.2)
    assert limits(["\nbootfs: 30\n"]) == Limits(bootfs=30)
    assert settings_from({"gk_limits": ["root: 40"]}).most == Limits(root=40)
    assert Settings().most == Limits()


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("roots: 40", "does not know 'roots: 40'"),
        ("root", "root: '' is not a number"),
        ("root: -1", "root: '-1' is not a number above 0"),
        ("root: nan", "is not a number above 0"),
        ("root: inf", "is not a number above 0"),
        ("root: 40 MiB", "root: '40 MiB' is not a number"),
        ("root: 40, root: 50", "names root twice"),
    ],
)
def test_a_limit_that_is_none_is_refused_by_the_option_s_name(said: str, says: str) -> None:
    with pytest.raises(OptionError, match=f"--gk-limits.*{says}") as raised:
        settings_from({"gk_limits": [said]})
    assert raised.value.hint


def test_what_is_clear_takes_few_pairs() -> None:
    assert len(compared(lambda _: 1.0, 1.1).ratios) == FEWEST
    assert not compared(lambda _: 1.0, 1.1).is_beyond
    slow = compared(lambda _: 1.2, 1.1)
    assert slow.is_beyond
    assert len(slow.ratios) == FEWEST + 1
    assert str(slow) == "1.20 times as long (1.20, 1.20, 1.20, 1.20)"


def test_one_disturbed_pair_decides_nothing() -> None:
    assert not compared(lambda number: 2.0 if number == 0 else 1.0, 1.1).is_beyond
    assert compared(lambda number: 0.5 if number == 0 else 1.2, 1.1).is_beyond
    # In disagreement to the end the median decides.
    mixed = compared(lambda number: 1.2 if number % 2 == 0 else 1.0, 1.1)
    assert len(mixed.ratios) == MOST
    assert mixed.is_beyond


def test_equal_images_are_hardly_ever_slower_and_a_fifth_more_hardly_ever_missed() -> None:
    noise = random.Random(1)

    def runs(ratio: float) -> int:
        return sum(
            compared(
                lambda _: ratio * noise.lognormvariate(0, 0.06) / noise.lognormvariate(0, 0.02), 1.1
            ).is_beyond
            for _ in range(2000)
        )

    assert runs(1.0) <= 2
    assert runs(1.2) >= 1950


def test_the_room_of_an_image_is_what_an_update_sends(tmp_path: Path) -> None:
    image = load_raw(synthetic.write_image(tmp_path / "disk.raw", tmp_path))
    room, files = room_of(image), update_files(image, tmp_path / "update")
    assert abs(room.root * (1 << 20) - files.root.stat().st_size) < 4096
    assert room.boot * (1 << 20) == files.boot.stat().st_size
