"""Options: each is checked once, and says which one is wrong."""

from pathlib import Path

import pytest

from harness.errors import OptionError
from harness.options import OPTIONS, Option, Settings, settings_from


def test_nothing_said_means_the_defaults() -> None:
    assert settings_from({option.ini: None for option in OPTIONS}) == Settings()


def test_boards_are_split_at_commas_and_repeated_modules_kept() -> None:
    settings = settings_from({"gk_board": ["virt, pc-bios", "pc-uefi"], "gk_with": ["a@v1", "b@v2"]})
    assert settings.boards == ("virt", "pc-bios", "pc-uefi")
    assert settings.with_modules == ("a@v1", "b@v2")


def test_paths_become_paths() -> None:
    assert settings_from({"gk_image": "x.img", "gk_artifacts": "out"}).image == Path("x.img")


@pytest.mark.parametrize(
    "option", [option for option in OPTIONS if option.choices], ids=lambda option: option.name
)
def test_a_value_that_is_no_choice_is_refused_by_the_option_s_name(option: Option) -> None:
    with pytest.raises(OptionError, match=option.flag):
        settings_from({option.ini: "nonsense"})


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan"])
def test_a_time_factor_is_a_number_above_0(value: str) -> None:
    with pytest.raises(OptionError, match="--gk-time-factor"):
        settings_from({"gk_time_factor": value})


def test_an_instance_and_an_image_at_once_are_refused() -> None:
    with pytest.raises(OptionError, match="two things to test"):
        settings_from({"gk_instance": "a", "gk_image": "b"})


def test_every_option_has_a_field() -> None:
    samples = {"FACTOR": "1", "N": "1", "I/N": "1/2"}
    for option in OPTIONS:
        value = option.choices[0] if option.choices else samples.get(option.metavar, "x")
        settings_from({option.ini: [value] if option.kind == "list" else value})
