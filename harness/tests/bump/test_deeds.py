"""What an appliance is made to do: in order, only what fits it, and nothing after a fall."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.boards.hardware import WATCHDOG
from harness.bump.deeds import DEEDS, Deed, done
from harness.errors import Fault, WaitTimeout

APPLIANCE: Any = SimpleNamespace(
    board=SimpleNamespace(has=()), can=lambda ability: ability != "perm", explain=lambda _: None
)
PROGRAMS: Any = None


def falls(*_: object) -> str:
    raise WaitTimeout("it fell silent")


def test_what_this_host_is_to_blame_for_is_no_regression() -> None:
    def starves(*_: object) -> str:
        error = WaitTimeout("it is late")
        error.excuse("this host gave QEMU nothing")
        raise error

    with pytest.raises(WaitTimeout) as raised:
        done(APPLIANCE, PROGRAMS, [Deed("one", starves)], {})
    assert raised.value.fault is Fault.HOST


def test_nothing_is_asked_of_it_after_a_fall() -> None:
    took: dict[str, float] = {}
    deeds = [
        Deed("one", lambda *_: ""),
        Deed("two", lambda *_: "otherwise"),
        Deed("three", falls),
        Deed("four", falls),
    ]
    assert done(APPLIANCE, PROGRAMS, deeds, took) == {"one": "", "two": "otherwise", "three": "it fell silent"}
    assert list(took) == ["one", "two", "three"]


@pytest.mark.parametrize(
    "deed",
    [Deed("it", falls, needs=("http", "perm")), Deed("it", falls, hardware=WATCHDOG)],
    ids=["perm", "watchdog"],
)
def test_what_does_not_fit_it_is_not_asked_of_it(deed: Deed) -> None:
    assert done(APPLIANCE, PROGRAMS, [deed, Deed("two", lambda *_: "")], {}) == {"two": ""}


def test_it_is_switched_off_last() -> None:
    assert [deed.name for deed in DEEDS].index("power off") == len(DEEDS) - 1
