"""A full /perm, on an appliance that only notes what it is told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from harness.appliance.appliance import Appliance
from harness.appliance.time_line import TimeLine
from harness.errors import CommandFailed
from harness.faults import perm


class Played:
    """An appliance with breakglass; ``fails`` names what cannot be run."""

    def __init__(self, fails: str = "nothing") -> None:
        self.said: list[str] = []
        self.fails = fails
        self.sizes = [12345, 12445, 12445]
        """Of what takes the room, at each look: the file system holds some back the first time."""
        self.time_line = TimeLine()

    def status(self) -> SimpleNamespace:
        return SimpleNamespace(perm_available=12345)

    @contextlib.contextmanager
    def breakglass(self) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(run=self.run, look=lambda *_: self.sizes.pop(0))

    def run(self, command: str, *, timeout: float) -> None:
        assert timeout == perm.LIMIT
        self.said.append(command.split()[0])
        if command.startswith(self.fails):
            raise CommandFailed("no", status=1)


@pytest.mark.parametrize("broken", [False, True])
def test_its_room_is_taken_and_given_back_whatever_becomes_of_the_block(broken: bool) -> None:
    played = Played()
    expected = pytest.raises(ZeroDivisionError) if broken else contextlib.nullcontext()
    with expected, perm.full(cast(Appliance, played)):
        assert played.said == ["fallocate", "dd", "dd"]
        assert not broken or 1 / 0
    assert played.said == ["fallocate", "dd", "dd", "rm"]


def test_what_cannot_be_filled_is_said_before_the_block() -> None:
    with pytest.raises(CommandFailed), perm.full(cast(Appliance, Played("dd"))):
        pytest.fail("it is not full")
