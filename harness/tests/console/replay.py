"""A machine that is played from a recorded console."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.console.console import Console
from harness.console.lines import Line, LineSplitter
from harness.console.match import Mark
from harness.console.phases import Cause

DATA = Path(__file__).parents[1] / "data" / "consoles"
START = Mark(0)
"""Where a console's stream begins."""

# What a kernel and gokrazy's init print.
K = "[   12.345678] "
PANIC = f"{K}Kernel panic - not syncing: sysrq triggered crash\r\n{K}Call trace:\r\n{K} show_stack+0x18\r\n"
LAST_WORDS = f"{K}Rebooting in 10 seconds..\r\n"
LINUX = "[    0.000000] Linux version 7.1.3 (gokrazy@docker) #1\r\n"
UP = "2026/11/22 now listening on 10.0.2.15:80\r\n"


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


def lines(text: str, at: float = 0.0) -> list[Line]:
    splitter = LineSplitter()
    data = text.encode()
    return splitter.feed(data, offset=0, at=at) + splitter.close(offset=len(data), at=at)
