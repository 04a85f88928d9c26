"""What an image must have for a scenario to apply, and the reason that a reader gets where it lacks that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.abilities import ABILITIES, why_not
from harness.errors import OptionError
from harness.image.model import Breakglass, Extent, Image, Kernel, Layout, PermState

PLACE = Extent(0, 512)
IMAGE = Image(
    path=Path("/images/mine.img"),
    digest="0" * 64,
    size=512,
    arch="arm64",
    hostname="mine",
    build="",
    builder="given",
    layout=Layout(PLACE, PLACE, PLACE, PLACE),
    kernel=Kernel(""),
    cmdline="",
    services=(),
    serial="ttyAMA0,115200",
    perm="ext4",
    breakglass=Breakglass(),
    has_serial_shell=True,
)


@pytest.mark.parametrize("ability", ABILITIES)
def test_an_image_with_all_of_it_can_do_everything(ability: str) -> None:
    assert why_not(IMAGE, ability, no_key="") == ""


def test_an_ability_that_is_none_is_told_with_those_that_are() -> None:
    with pytest.raises(OptionError) as caught:
        why_not(IMAGE, "bluetooth", no_key="")
    assert all(name in caught.value.hint for name in ABILITIES)


@pytest.mark.parametrize(
    ("state", "why"), [("ext4", ""), ("other", ""), ("mkfs", ""), ("blank", "--gk-perm ext4")]
)
def test_data_in_perm_stays_where_something_is_mounted_there(state: PermState, why: str) -> None:
    said = why_not(replace(IMAGE, perm=state), "perm", no_key="")
    assert bool(said) == bool(why)
    assert why in said


def test_without_the_partition_no_option_helps() -> None:
    said = why_not(replace(IMAGE, layout=Layout(PLACE, PLACE, PLACE, None), perm="blank"), "perm", no_key="")
    assert said == "not applicable: the image has no permanent partition"


def test_the_reason_for_a_missing_key_is_passed_on() -> None:
    assert why_not(IMAGE, "breakglass", no_key="it is in a drawer") == "not applicable: it is in a drawer"
    assert why_not(IMAGE, "slot", no_key="it is in a drawer") == ""
    assert "which slot runs" in why_not(replace(IMAGE, serial=None), "slot", no_key="it is in a drawer")
