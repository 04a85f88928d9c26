"""What a console hears of the resets of its machine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.appliance.console_link import ConsoleLink
from harness.console.phases import Cause
from harness.machine.ending import Ended
from harness.machine.power import PowerOn


class Heard:
    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.recording = SimpleNamespace(size=0)

    def detach(self) -> None:
        # The last words of the machine before are read now.
        self.recording.size += 5

    def attach(self, _sock: object, *, reason: Cause, boot: object, by_host: bool) -> None:
        self.said.append((reason, boot, by_host))

    def was_reset(self, *, by_host: bool) -> None:
        self.said.append(("reset", by_host))


@pytest.mark.parametrize(
    ("cause", "by_host"), [("guest-reset", False), ("host-qmp-system-reset", True), ("reset", False)]
)
def test_a_reset_by_the_harness_is_one_that_was_asked_for(cause: str, by_host: bool) -> None:
    heard: Any = Heard()
    witness: Any = SimpleNamespace(machine=lambda _: None)
    link = ConsoleLink(heard, witness)
    sock: Any = object()
    link.on_console(sock)
    link.listener(PowerOn(2, cause, new_process=False, at=1.0, loaded=SimpleNamespace()))  # type: ignore[arg-type]
    link.listener(Ended(SimpleNamespace(), cause, None, 2.0))  # type: ignore[arg-type]
    link.on_console(sock)
    link.on_console(sock)
    assert heard.said == [
        (Cause.POWER_ON, None, False),
        ("reset", by_host),
        (Cause.RESET, None, by_host),
        (Cause.RESET, None, False),
    ]


def test_each_machine_begins_behind_the_last_words_of_the_one_before() -> None:
    witness: Any = SimpleNamespace(machine=lambda _: None)
    heard: Any = Heard()
    link = ConsoleLink(heard, witness)
    sock: Any = object()
    link.on_console(sock)
    link.on_console(sock)
    assert link.began_at == [5, 10]
