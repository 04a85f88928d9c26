"""The second appliance of a test: its fixture, and which of the two a failure is about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from harness.appliance.wanted import is_path
from harness.run import markers
from harness.run.whose import fixtures_of

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance
    from harness.appliance.wanted import Wanted
    from harness.boards import Board
    from harness.lab.lab import Lab

NAME = "second_appliance"
LAB_OF: pytest.StashKey[partial[Lab]] = pytest.StashKey()
"""What makes the lab of a run, or gives the one that is there."""
SECOND: pytest.StashKey[Wanted] = pytest.StashKey()
"""What the test asks of its second appliance."""
IS_UP: pytest.StashKey[bool] = pytest.StashKey()
"""Whether the second appliance came up; there is none in the stash before it was tried."""
_PORT = re.compile(r"127\.0\.0\.1\D{1,10}(\d+)")
"""A port of this host in an error, in the words of a library too."""


@pytest.fixture
def second_appliance(request: pytest.FixtureRequest, board: Board) -> Iterator[Appliance]:  # noqa: ARG001
    """A second running appliance of this test's own, on the same board; ``gk_second_image`` says its image."""
    request.getfixturevalue("appliance_off" if "appliance_off" in request.fixturenames else "appliance")
    stash = request.node.stash
    stash[IS_UP] = False
    with request.config.stash[LAB_OF]().appliance(stash[SECOND]) as made:
        stash[IS_UP] = True
        yield made


def family_of_second(item: pytest.Item) -> str:
    """Which image the second appliance of a test needs, "" where it takes none; else a family or a path."""
    if NAME not in fixtures_of(item):
        return ""
    return _resolved(item, markers.second_family_of(item))


def families_of(item: pytest.Item) -> list[tuple[str, bool]]:
    """Which images a test needs, each with whether the test updates it."""
    first, other = (markers.family_of(item), "next_image" in fixtures_of(item)), family_of_second(item)
    return [first, (other, False)] if other else [first]


def wanted_of_both(item: pytest.Item, first: Wanted) -> tuple[Wanted, ...]:
    """What a test asks of each of its appliances; the first then takes room on this host for both."""
    if IS_UP in item.stash:
        # Of a try before this one, where a test is run again.
        del item.stash[IS_UP]
    if NAME not in fixtures_of(item):
        return (first,)
    second = first.of_second(family_of_second(item))
    item.stash[SECOND] = second
    return replace(first, machines=2), second


def appliances_of(item: pytest.Item, lab: Lab | None) -> tuple[Appliance, ...]:
    """The appliances that were made for a test, the first one before the second.

    One that did not come up comes before another that did: what the test says is about that one.
    """
    if lab is None:
        return ()
    made = [lab.live(item.nodeid)]
    if IS_UP in item.stash:
        made.append(lab.live(item.stash[SECOND].name))
        if not item.stash[IS_UP]:
            made.reverse()
    return tuple(one for one in made if one is not None)


def explain(appliances: Sequence[Appliance], error: BaseException) -> None:
    """Have an error say first what explains it, by the appliance that it is about; without appliances, nothing.

    It names one by its console or by a port that leads there; else it is about the first of them.
    """
    said = str(error)
    ports = {int(number) for number in _PORT.findall(said)}
    named = [one for one in appliances if one.console.name in said or ports & {*one.power.ports.values()}]
    for one in named if len(named) == 1 else appliances[:1]:
        one.explain(error)


def _resolved(item: pytest.Item, named: str) -> str:
    """A family as it is; the path of an instance or image from the folder of the test's file."""
    return str(item.path.parent / named) if is_path(named) else named
