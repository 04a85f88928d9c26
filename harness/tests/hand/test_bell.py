"""The bell that wakes whoever waits for keys."""

from __future__ import annotations

import os
import threading

from harness.hand.bell import Bell


def test_it_wakes_whoever_waits_for_keys_and_stays_rung() -> None:
    keys, typed = os.pipe()
    with Bell() as bell:
        os.write(typed, b"x")
        assert bell.wait_for_keys(keys) == b"x"
        ringing = threading.Timer(0.05, bell.ring)
        ringing.start()
        assert bell.wait_for_keys(keys) is None
        bell.wait()
        assert bell.rung
    for end in (keys, typed):
        os.close(end)


def test_it_is_closed_at_the_end_and_whoever_rings_later_does_no_harm() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Bell() as bell:
        pass
    assert len(os.listdir("/proc/self/fd")) == before
    bell.ring()
    assert bell.rung
