"""A machine that is played from a recorded console."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.console.console import Console
from harness.console.phases import Cause

DATA = Path(__file__).parents[1] / "data" / "consoles"


def recorded(name: str) -> bytes:
    return (DATA / f"{name}.log").read_bytes()


class FakeMachine:
    """The other end of the console's socket."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()

    def say(self, data: bytes | str, chunk: int = 0) -> None:
        data = data.encode() if isinstance(data, str) else data
        if not chunk:
            self.ours.sendall(data)
            return
        for begin in range(0, len(data), chunk):
            self.ours.sendall(data[begin : begin + chunk])

    def hear(self, size: int = 4096) -> bytes:
        self.ours.settimeout(5)
        return self.ours.recv(size)

    def end(self) -> None:
        self.ours.close()


@contextmanager
def machine(console: Console, reason: Cause = Cause.POWER_ON) -> Iterator[FakeMachine]:
    fake = FakeMachine()
    console.attach(fake.theirs, reason=reason)
    try:
        yield fake
    finally:
        fake.end()
        console.detach()


def replay(console: Console, data: bytes, chunk: int = 0, reason: Cause = Cause.POWER_ON) -> None:
    """Play a whole power cycle and wait until all of it was taken in."""
    with machine(console, reason) as fake:
        fake.say(data, chunk)


def later(action: object, delay: float) -> threading.Timer:
    timer = threading.Timer(delay, action)  # type: ignore[arg-type]
    timer.start()
    return timer
