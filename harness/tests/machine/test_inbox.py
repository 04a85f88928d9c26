"""The order of what a QEMU reports, and for how long its last words are waited for."""

from __future__ import annotations

import threading
import time

import pytest

from harness.lifetime.process import Exit
from harness.machine import inbox as module
from harness.machine.inbox import Inbox
from harness.machine.qmp import Event

ENDED = Exit(0, None, "")
RESET, SHUTDOWN = Event("RESET"), Event("SHUTDOWN")


def test_the_exit_comes_last_though_it_is_heard_first() -> None:
    inbox = Inbox()
    for item in (RESET, ENDED, SHUTDOWN):
        inbox.put(item)
    inbox.hung_up()
    assert list(inbox.until_exit()) == [RESET, SHUTDOWN, ENDED]


def test_a_hung_up_qmp_is_no_end_yet() -> None:
    inbox = Inbox()
    inbox.hung_up()
    threading.Timer(0.2, inbox.put, [ENDED]).start()
    began = time.monotonic()
    assert list(inbox.until_exit()) == [ENDED]
    assert time.monotonic() - began >= 0.15


def test_a_qmp_that_never_hangs_up_costs_its_limit_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST_WORDS", 0.2)
    inbox = Inbox()
    inbox.put(ENDED)
    inbox.put(SHUTDOWN)
    began = time.monotonic()
    assert list(inbox.until_exit()) == [SHUTDOWN, ENDED]
    assert 0.15 <= time.monotonic() - began < 2.0
