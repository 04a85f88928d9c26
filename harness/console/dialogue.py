"""Dialogues with a console as data: steps that can be printed, compared and tested without a machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.console.match import Match


class Speaker(Protocol):
    """What a dialogue needs of a console."""

    def send(self, text: str | bytes, *, timeout: float = ...) -> None:
        """Type this."""

    def expect(
        self, pattern: str | re.Pattern[str] | Sequence[str | re.Pattern[str]], *, timeout: float, what: str = ""
    ) -> Match:
        """Wait for the first of these patterns."""

    def skip(self) -> None:
        """Forget what came so far."""


@dataclass(frozen=True)
class Type:
    """Type a text."""

    text: str

    def __str__(self) -> str:
        return f"type {self.text!r}"


@dataclass(frozen=True)
class Await:
    """Wait until the console says something."""

    pattern: str
    what: str
    timeout: float

    def __str__(self) -> str:
        return f"await {self.what} within {self.timeout:g} s ({self.pattern!r})"


@dataclass(frozen=True)
class Forget:
    """Look only at what comes from now on."""

    def __str__(self) -> str:
        return "forget what came so far"


Step = Type | Await | Forget
Dialogue = tuple[Step, ...]


def play(dialogue: Dialogue, console: Speaker) -> Match | None:
    """Carry out the steps; returns the last match. Raises WaitTimeout, or the crash that ended it."""
    last: Match | None = None
    for step in dialogue:
        match step:
            case Type(text):
                console.send(text)
            case Await(pattern, what, timeout):
                last = console.expect(pattern, timeout=timeout, what=what)
            case Forget():
                console.skip()
    return last


def script(dialogue: Dialogue) -> str:
    """Return the steps as text, one a line."""
    return "\n".join(str(step) for step in dialogue)
