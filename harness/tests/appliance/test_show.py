"""What whoever boots an appliance to watch it gets to see."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.appliance.show import show
from harness.console.console import Console
from harness.errors import KernelPanic
from harness.tests.console.replay import LAST_WORDS, LINUX, PANIC, machine


class Seen(io.StringIO):
    """What was written out; ``wait_for`` waits for a text."""

    def __init__(self) -> None:
        super().__init__()
        self._more = threading.Condition()

    def flush(self) -> None:
        """Whoever waits looks again."""
        with self._more:
            self._more.notify_all()

    def wait_for(self, text: str) -> bool:
        """Whether the text comes within some seconds."""
        with self._more:
            return self._more.wait_for(lambda: text in self.getvalue(), 10)


class Watched:
    """An appliance that is shown in a thread."""

    def __init__(self, console: Console) -> None:
        self.power = SimpleNamespace(is_on=True, ports={80: 40001})
        played: Any = SimpleNamespace(
            console=console, power=self.power, voice=SimpleNamespace(why=""), power_on=lambda: None
        )
        self.said: list[str] = []
        self.out = Seen()
        self.error: Exception | None = None
        self._played = played
        self.thread = threading.Thread(target=self._show)

    def _show(self) -> None:
        try:
            show(self._played, say=self.said.append, out=self.out)
        except KernelPanic as error:
            self.error = error


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    console = Console(tmp_path)
    yield console
    console.close()


def test_every_word_comes_at_once_and_half_a_line_too_until_it_is_off(console: Console) -> None:
    watched = Watched(console)
    with machine(console) as fake:
        watched.thread.start()
        fake.say(LINUX)
        assert watched.out.wait_for("Linux version")
        fake.say("login: ")
        assert watched.out.wait_for("login: ")
        watched.power.is_on = False
    watched.thread.join(10)
    assert not watched.thread.is_alive()
    assert watched.said == ["gokrazy: port 80: 127.0.0.1:40001"]


def test_a_machine_that_starts_again_is_shown_on(console: Console) -> None:
    watched = Watched(console)
    with machine(console) as fake:
        watched.thread.start()
        fake.say("before\r\n")
        assert watched.out.wait_for("before")
    console.detach()
    with machine(console) as fake:
        fake.say("after\r\n")
        assert watched.out.wait_for("after")
        watched.power.is_on = False
    watched.thread.join(10)
    assert not watched.thread.is_alive()


def test_a_crash_ends_it_with_its_last_words_shown(console: Console) -> None:
    watched = Watched(console)
    with machine(console) as fake:
        watched.thread.start()
        fake.say(PANIC + LAST_WORDS)
        watched.thread.join(10)
    assert isinstance(watched.error, KernelPanic)
    assert LAST_WORDS.strip().splitlines()[-1] in watched.out.getvalue()
