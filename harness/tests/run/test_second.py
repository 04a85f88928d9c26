"""The second appliance of a test: its image, what it shares with the first, and whom an error is about."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.appliance.wanted import Wanted
from harness.boards import board
from harness.errors import DeviceUnreachable
from harness.machine.equipment import Door
from harness.run.second import IS_UP, SECOND, appliances_of, explain, families_of, wanted_of_both

DOOR = Door("10.0.2.100:9911", ("true",))


class One(pytest.Function):
    """A test that no collector made."""

    @property
    def nodeid(self) -> str:
        return "test_it"


def item_of(*fixtures: str, marks: dict[str, str] | None = None) -> Any:
    def marked(name: str) -> list[Any]:
        return [SimpleNamespace(args=(marks[name],))] if marks and name in marks else []

    item = One.__new__(One)
    item.fixturenames, item.stash, item.path = list(fixtures), pytest.Stash(), Path("/there/test_mine.py")
    item.iter_markers = marked  # type: ignore[method-assign,assignment]
    return item


def first() -> Wanted:
    return Wanted(
        board("virt"), "test_it", running=False, needs=("perm",), allow=("oom",), family="field", doors=(DOOR,)
    )


def test_a_test_with_one_appliance_asks_for_one() -> None:
    item = item_of("appliance", marks={"gk_second_image": "tailnet"})
    assert families_of(item) == [("hello", False)]
    assert wanted_of_both(item, first()) == (first(),)
    assert SECOND not in item.stash


@pytest.mark.parametrize(
    ("marks", "family"),
    [
        ({}, "hello"),
        ({"gk_image": "field"}, "field"),
        ({"gk_image": "field", "gk_second_image": "tailnet"}, "tailnet"),
        ({"gk_second_image": "./mine"}, "/there/mine"),
        ({"gk_second_image": "/else/disk.img"}, "/else/disk.img"),
    ],
)
def test_the_second_runs_what_is_said_or_what_the_first_does(marks: dict[str, str], family: str) -> None:
    item = item_of("appliance", "second_appliance", "next_image", marks=marks)
    assert families_of(item) == [(marks.get("gk_image", "hello"), True), (family, False)]


def test_the_second_has_the_network_of_the_first_and_the_first_takes_room_for_both() -> None:
    item = item_of("appliance_off", "second_appliance", marks={"gk_second_image": "tailnet"})
    one, other = wanted_of_both(item, first())
    assert (one.machines, one.name, one.running) == (2, "test_it", False)
    assert (other.machines, other.name, other.running) == (1, "test_it second", True)
    assert (other.family, other.doors, other.allow) == ("tailnet", (DOOR,), ("oom",))
    assert other.needs == (), "what is needed is needed of the first"
    assert item.stash[SECOND] == other


def lab(**made: Any) -> Any:
    return SimpleNamespace(live=lambda name: made.get(name.replace(" ", "_")))


def test_one_that_did_not_come_up_comes_first() -> None:
    item = item_of("appliance", "second_appliance")
    wanted_of_both(item, first())
    both = lab(test_it="one", test_it_second="other")

    def made(of: Any = both) -> list[Any]:
        return list(appliances_of(item, of))

    assert made() == ["one"], "of a try before this one"
    item.stash[IS_UP] = False
    assert made() == ["other", "one"]
    assert made(lab(test_it="one")) == ["one"], "it was not even made"
    item.stash[IS_UP] = True
    assert made() == ["one", "other"]
    wanted_of_both(item, first())
    assert made() == ["one"], "the test is run again"
    assert made(None) == []


class Asked:
    """An appliance that notes which errors it was to explain."""

    def __init__(self, name: str, port: int) -> None:
        self.console = SimpleNamespace(name=name)
        self.power = SimpleNamespace(ports={"80": port})
        self.errors: list[BaseException] = []

    def explain(self, error: BaseException) -> None:
        self.errors.append(error)


@pytest.mark.parametrize(
    ("error", "about"),
    [
        (DeviceUnreachable("no answer", where="http://127.0.0.1:4002"), 1),
        (ConnectionError("HTTPConnectionPool(host='127.0.0.1', port=4002): refused"), 1),
        (DeviceUnreachable("no answer", where="other on virt"), 1),
        (DeviceUnreachable("no answer", where="http://127.0.0.1:4001"), 0),
        (AssertionError("not so"), 0),
        (AssertionError("one on virt and other on virt"), 0),
    ],
)
def test_an_error_is_explained_by_the_appliance_that_it_names(error: Exception, about: int) -> None:
    both: Any = Asked("one on virt", 4001), Asked("other on virt", 4002)
    explain(both, error)
    assert [len(one.errors) for one in both] == [int(about == 0), int(about == 1)]
    explain((), error)
