"""Heard: what a neighbour was told, in order, and the wait for what is still to come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from harness.errors import WaitTimeout

T = TypeVar("T")

LOOK = 1.0
"""Seconds between two looks whether the appliance is still alive."""
SHOWN = 20
"""How many of those that came instead an error shows."""


class Heard(Generic[T]):
    """A list that grows while one looks at it."""

    def __init__(self, name: str, check: Callable[[], None] = lambda: None) -> None:
        """``name`` says in errors who hears; ``check`` raises what ends all waits."""
        self._name = name
        self._check = check
        self._all: list[T] = []
        self._news = threading.Condition()

    def put(self, one: T) -> None:
        """Add what was just heard."""
        with self._news:
            self._all.append(one)
            self._news.notify_all()

    @property
    def all(self) -> tuple[T, ...]:
        """All of it so far."""
        with self._news:
            return tuple(self._all)

    def wait(self, what: str, timeout: float, fits: Callable[[T], bool], *, since: int = 0, hint: str = "") -> T:
        """Return the first from ``since`` on that fits, waiting for it ``timeout`` seconds at most.

        Raises WaitTimeout that says what came instead, or what the check raises.
        """
        deadline = time.monotonic() + timeout
        at = since
        while True:
            with self._news:
                while at < len(self._all):
                    if fits(self._all[at]):
                        return self._all[at]
                    at += 1
                if (left := deadline - time.monotonic()) <= 0:
                    break
                self._news.wait(min(left, LOOK))
            # Without the lock: whoever is asked may have to wait for whoever has news.
            self._check()
        self._check()
        came = self.all[since:]
        instead = f"{len(came)} others" if came else "nothing"
        raise WaitTimeout(
            f"waited {timeout:.1f} s for {what}; {self._name} heard {instead}",
            where=self._name,
            hint=hint,
            evidence="\n".join(map(str, came[-SHOWN:])),
        )
