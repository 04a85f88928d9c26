"""What is done to power and processors, on a machine that only notes it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from harness.appliance.appliance import Appliance
from harness.appliance.time_line import TimeLine
from harness.faults import power


class Played:
    """An appliance, its power and its machine in one."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.ended: object = None
        self.time_line = TimeLine()
        self.power = SimpleNamespace(machine=self, reset=lambda: self.done.append("reset"))

    def pause(self) -> None:
        self.done.append("pause")

    def resume(self) -> None:
        self.done.append("resume")

    def cut_power(self) -> None:
        self.done.append("cut")
        self.ended = "gone"


@pytest.fixture
def played() -> Played:
    return Played()


@pytest.fixture
def appliance(played: Played) -> Appliance:
    return cast(Appliance, played)


def test_cut_and_reset_act_at_once(played: Played, appliance: Appliance) -> None:
    power.reset(appliance)
    power.cut(appliance)
    assert played.done == ["reset", "cut"]


def test_a_pause_lasts_without_a_with_statement(played: Played, appliance: Appliance) -> None:
    power.pause(appliance)
    assert played.done == ["pause"]


def test_a_pause_ends_with_its_block_and_also_when_that_fails(played: Played, appliance: Appliance) -> None:
    with power.pause(appliance):
        assert played.done == ["pause"]
        assert played.time_line.happenings[-1].lasts
    assert played.done == ["pause", "resume"]
    assert [(one.lane, one.lasts) for one in played.time_line.happenings] == [("faults", False)]
    with pytest.raises(RuntimeError), power.pause(appliance):
        raise RuntimeError
    assert played.done == ["pause", "resume"] * 2


def test_a_machine_that_was_cut_off_while_it_stood_still_is_left_alone(
    played: Played, appliance: Appliance
) -> None:
    with power.pause(appliance):
        power.cut(appliance)
    assert played.done == ["pause", "cut"]
