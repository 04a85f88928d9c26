"""What whoever boots an appliance without a terminal gets to see."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.console.console import Console
from harness.errors import KernelPanic
from harness.hand.show import START, show
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
    """A console that is shown in a thread."""

    def __init__(self, console: Console) -> None:
        self.is_on = True
        self.out = Seen()
        self.error: Exception | None = None
        self._console = console
        self.thread = threading.Thread(target=self._show)

    def _goes_on(self) -> bool:
        self._console.check()
        return self.is_on

    def _show(self) -> None:
        try:
            show(self._console, goes_on=self._goes_on, out=self.out)
        except KernelPanic as error:
            self.error = error


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    monkeypatch.setattr("harness.hand.show.BETWEEN", 0.05)
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
        watched.is_on = False
    watched.thread.join(10)
    assert not watched.thread.is_alive()


def test_what_was_said_before_is_shown_too(console: Console) -> None:
    with machine(console) as fake:
        fake.say("early\r\n")
        console.wait_for_line("early", timeout=10, since=START)
        watched = Watched(console)
        watched.thread.start()
        assert watched.out.wait_for("early")
        watched.is_on = False
    watched.thread.join(10)
    assert not watched.thread.is_alive()


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
        watched.is_on = False
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
