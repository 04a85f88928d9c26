"""The markers of a test: what they fill, and with what."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from harness.appliance.wanted import Wanted, markers_of
from harness.boards import board
from harness.run.markers import LINES, Place, family_of, place_of, wanted_of

VIRT = board("virt")


def item(pytester: pytest.Pytester, *marks: str) -> pytest.Item:
    above = "".join(f"@pytest.mark.{mark}\n" for mark in marks)
    return pytester.getitem(f"import pytest\n\n{above}def test_func():\n    pass\n")


@pytest.mark.parametrize(
    ("mark", "filled"),
    [
        ("gk_image('crasher')", {"family": "crasher"}),
        ("gk_needs('http', 'slot')", {"needs": ("http", "slot")}),
        ("gk_cold", {"cold": True}),
        ("gk_boot", {"about_boot": True}),
        ("gk_reboots", {"reboots": True}),
        ("gk_network('open')", {"network": "open"}),
        ("gk_clock('now')", {"clock": "now"}),
        ("gk_tier('nightly')", {}),
    ],
)
def test_a_marker_fills_its_field_and_no_other(
    pytester: pytest.Pytester, mark: str, filled: dict[str, Any]
) -> None:
    test = item(pytester, mark)
    assert wanted_of(test, VIRT, running=True) == Wanted(VIRT, test.nodeid, **filled)


@pytest.mark.parametrize(
    ("mark", "filled"),
    [
        ("gk_tier('nightly')", {"tier": "nightly"}),
        ("gk_board('virt', 'pc-bios')", {"boards": (frozenset({"virt", "pc-bios"}),)}),
        ("gk_any_firmware", {"any_firmware": True}),
        ("gk_uploads", {"uploads": True}),
        ("gk_cold", {}),
    ],
)
def test_where_and_when_it_runs_is_read_likewise(
    pytester: pytest.Pytester, mark: str, filled: dict[str, Any]
) -> None:
    assert place_of(item(pytester, mark)) == Place(**filled)


def test_of_several_marks_the_closest_counts_all_needs_and_what_all_allow(pytester: pytest.Pytester) -> None:
    test = item(
        pytester,
        *("gk_image('from')", "gk_image('crasher')", "gk_needs('http')", "gk_needs('slot')"),
        *("gk_board('virt', 'pc-bios')", "gk_board('virt')"),
    )
    assert family_of(test) == "crasher"
    assert set(wanted_of(test, VIRT, running=False).needs) == {"http", "slot"}
    place = place_of(test)
    assert (place.allows(VIRT), place.allows(board("pc-bios"))) == (True, False)


def test_without_a_marker_a_test_runs_anywhere_and_its_appliance_is_as_the_run_has_it(
    pytester: pytest.Pytester,
) -> None:
    test = item(pytester)
    assert wanted_of(test, VIRT, running=False) == Wanted(VIRT, test.nodeid, running=False)
    assert place_of(test) == Place()
    assert place_of(test).allows(board("raspi4b"))
    assert family_of(test) == "hello"


@pytest.mark.parametrize(
    ("marks", "allowed"),
    [
        (("gk_board('pc-bios')",), {"pc-bios", "pc-bios:nvme", "pc-bios:nvme+igb"}),
        (("gk_board('pc-bios:igb+nvme')",), {"pc-bios:nvme+igb"}),
        (("gk_board('pc-bios:nvme')",), {"pc-bios:nvme", "pc-bios:nvme+igb"}),
        (("gk_board('pc-bios')", "gk_board('pc-bios:igb', 'virt')"), {"pc-bios:nvme+igb"}),
        (("gk_board('virt')",), {"virt:nvme"}),
    ],
)
def test_a_mark_allows_a_board_with_whichever_further_parts(
    pytester: pytest.Pytester, marks: tuple[str, ...], allowed: set[str]
) -> None:
    place = place_of(item(pytester, *marks))
    every = ("pc-bios", "pc-bios:nvme", "pc-bios:nvme+igb", "pc-uefi:nvme", "virt:nvme")
    assert {name for name in every if place.allows(board(name))} == allowed


def test_who_waits_until_it_is_ready_needs_that_it_tells() -> None:
    assert Wanted(VIRT, "t", needs=("http",)).abilities == ("http", "ready")
    assert Wanted(VIRT, "t", needs=("http",), running=False).abilities == ("http",)


def test_every_field_that_a_test_can_ask_for_has_a_marker_with_a_line_for_pytest() -> None:
    given = {"board", "name", "running", "image", "doors", "machines"}
    for record in (Place, Wanted):
        markers = markers_of(record)
        assert set(markers) == {one.name for one in fields(record)} - given
        assert {one.line for one in markers.values()} <= set(LINES)
    names = [line.split(":")[0].split("(")[0] for line in LINES]
    assert len(set(names)) == len(names)
    assert all(name.startswith("gk_") for name in names)
