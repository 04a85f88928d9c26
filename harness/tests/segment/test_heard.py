"""The wait for what is still to come."""

from __future__ import annotations

import threading

import pytest

from harness.errors import KernelPanic, WaitTimeout
from harness.segment.heard import Heard


def test_what_was_heard_before_counts() -> None:
    heard: Heard[int] = Heard("somebody")
    heard.put(1)
    assert heard.wait("an odd number", 0.0, lambda one: one % 2 == 1) == 1


def test_what_comes_meanwhile_ends_the_wait() -> None:
    heard: Heard[int] = Heard("somebody")
    threading.Timer(0.1, lambda: heard.put(3)).start()
    assert heard.wait("an odd number", 10.0, lambda one: one % 2 == 1) == 3


def test_the_error_says_what_was_awaited_how_long_and_what_came_instead() -> None:
    heard: Heard[int] = Heard("the ear")
    heard.put(7)
    heard.put(2)
    with pytest.raises(WaitTimeout, match=r"waited 0\.1 s for an odd number; the ear heard 1 others") as caught:
        heard.wait("an odd number", 0.1, lambda one: one % 2 == 1, since=1, hint="ask louder")
    assert (caught.value.evidence, caught.value.hint) == ("2", "ask louder")
    with pytest.raises(WaitTimeout, match="the ear heard nothing"):
        heard.wait("an odd number", 0.0, lambda one: one % 2 == 1, since=2)


def test_the_cause_wins_over_the_wait() -> None:
    def check() -> None:
        raise KernelPanic("it is dead")

    heard: Heard[int] = Heard("somebody", check)
    with pytest.raises(KernelPanic):
        heard.wait("a number", 60.0, lambda _: True)
