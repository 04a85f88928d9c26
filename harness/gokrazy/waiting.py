"""Waiting for a device over the network, where no event can be awaited."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.errors import HarnessError, WaitTimeout

T = TypeVar("T")

PAUSE = 0.1
"""Seconds between two tries: small against any start, yet no burden on the device."""


@dataclass(frozen=True)
class NotYet:
    """What a try saw instead of what is awaited."""

    seen: str


@dataclass(frozen=True)
class Done(Generic[T]):
    """What was awaited."""

    value: T


class Deadline:
    """A point in time that is ``limit`` seconds away."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._start = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    @property
    def left(self) -> float:
        """Seconds until the limit, never below 0."""
        return max(0.0, self.limit - self.elapsed)

    @property
    def over(self) -> bool:
        """Whether the limit is reached."""
        return self.left <= 0

    def slice(self, longest: float, *, least: float = 0.05) -> float:
        """How long one try may take: ``longest`` seconds, or up to the limit, but at least ``least`` seconds.

        A last try that is cut too short sees nothing but its own shortness, and that would be the error's text.
        """
        return max(least, min(longest, self.left))


def poll(
    what: str,
    limit: float,
    attempt: Callable[[Deadline], Done[T] | NotYet],
    *,
    where: str,
    check: Callable[[], None] | None = None,
    hint: str = "",
    evidence: Callable[[], str] | None = None,
) -> T:
    """Try until it is done; raises WaitTimeout that says what was awaited, how long, and what came instead.

    ``check`` is called around each try: it raises when the device is known to be lost, so that the cause wins
    over the wait. ``evidence`` is asked once, at the end, for what the device has to say.
    """
    deadline = Deadline(limit)
    never = threading.Event()
    tries = 0
    while True:
        if check:
            check()
        outcome = attempt(deadline)
        tries += 1
        if isinstance(outcome, Done):
            return outcome.value
        if deadline.over:
            break
        never.wait(min(PAUSE, deadline.left))
    if check:
        check()
    raise WaitTimeout(
        f"waited {deadline.elapsed:.1f} s for {what} ({_count(tries)}); last seen: {outcome.seen}",
        where=where,
        hint=hint,
        evidence=_ask(evidence) if evidence else "",
    )


def _ask(evidence: Callable[[], str]) -> str:
    """The evidence, or why there is none: the wait's own error must not be lost over it."""
    try:
        return evidence()
    except HarnessError as error:
        return f"(not to be had: {error.what})"


def _count(tries: int) -> str:
    return "1 try" if tries == 1 else f"{tries} tries"
