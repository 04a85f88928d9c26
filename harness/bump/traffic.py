"""Bulk traffic through the guest's network card: the host's end of it.

A network driver whose bulk transfer stalls, or damages what it carries, is what bumps of kernels have broken.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from harness.bump.facts import Facts
from harness.errors import HarnessError
from harness.gokrazy.breakglass import Breakglass
from harness.gokrazy.waiting import Deadline, Done, NotYet, poll

PORT = 39173
"""Of the guest; nothing that is known listens there."""
SIZE = 64 << 20
"""Bytes of one transfer."""
SMALL = 2 << 20
"""Bytes of one transfer on a board whose network is slow."""
STALL = 30.0
"""Seconds without a byte after which a transfer stalls."""
LONGEST = 900.0
"""Seconds that the device's end may run."""


@dataclass(frozen=True)
class Transfer:
    """One way of carrying so many bytes."""

    direction: str
    streams: int
    block: int
    """Bytes that are written at a time."""

    def __str__(self) -> str:
        way = "to the device" if self.direction == "in" else "from the device"
        how = "one stream" if self.streams == 1 else f"{self.streams} streams"
        return f"traffic {way}, {how}, {self.block} bytes a write"


TRANSFERS = tuple(
    Transfer(direction, streams, block)
    for direction in ("in", "out")
    for streams, block in ((1, 1 << 20), (1, 1400), (4, 1 << 16))
)


def pattern() -> bytes:
    """What is carried, over and over: a MiB in which no two places near each other look the same."""
    return bytes((number * 31 + (number >> 8)) & 0xFF for number in range(1 << 20))


def exchange(rescue: Breakglass, port: int, facts: Facts, *, size: int = SIZE, stall: float = STALL) -> Facts:
    """Carry bytes both ways, after ``ask`` sent the agent; ``port`` is the host's that leads to the guest's."""
    content = pattern()
    with listening(rescue, port, stall):
        for transfer in TRANSFERS:
            began = time.monotonic()
            wrong = _carried(transfer, port, content, size, stall)
            if wrong:
                facts = facts.with_more("bad", str(transfer), wrong)
            else:
                facts = facts.with_more("ok", str(transfer), "")
                speed = size / (1 << 20) / (time.monotonic() - began)
                facts = facts.with_more("rate", str(transfer), f"{speed:.3f}")
    return facts


@contextmanager
def listening(rescue: Breakglass, port: int, patience: float) -> Iterator[None]:
    """The device's end, from before the block to after it; raises as ``Breakglass.run`` does, and WaitTimeout."""
    failed: list[HarnessError] = []

    def run() -> None:
        try:
            rescue.run(["./agent", "traffic", str(PORT)], timeout=LONGEST)
        except HarnessError as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def check() -> None:
        if failed:
            raise failed[0]

    try:
        _until_it_answers(port, check, patience)
        yield
    finally:
        if thread.is_alive():
            try:
                with socket.create_connection(("127.0.0.1", port), patience) as end:
                    end.sendall(b"end 0 1\n")
            except OSError:
                pass
        thread.join(patience)


def _until_it_answers(port: int, check: Callable[[], None], patience: float) -> None:
    """Wait until the device's end takes a connection: QEMU accepts and closes those that nobody waits for.

    Raises WaitTimeout, and what ``check`` raises.
    """

    def attempt(deadline: Deadline) -> Done[None] | NotYet:
        try:
            with socket.create_connection(("127.0.0.1", port), deadline.slice(patience)) as end:
                end.sendall(b"in 1 1\n" + pattern()[:1])
                return Done(None) if end.recv(64).startswith(b"whole") else NotYet("the connection was closed")
        except OSError as error:
            return NotYet(error.strerror or str(error))

    poll("the device to take bulk traffic", patience, attempt, where=f"127.0.0.1:{port}", check=check)


def _carried(transfer: Transfer, port: int, content: bytes, size: int, stall: float) -> str:
    """What went wrong, "" when all of it arrived as it was sent."""
    share = size // transfer.streams
    wrong: list[str] = []

    def carry() -> None:
        try:
            with socket.create_connection(("127.0.0.1", port), stall) as end:
                end.settimeout(stall)
                end.sendall(f"{transfer.direction} {share} {transfer.block}\n".encode())
                send = _sent if transfer.direction == "in" else _received
                if said := send(end, content, share, transfer.block):
                    wrong.append(said)
        except TimeoutError:
            wrong.append(f"it stalls: not a byte for {stall:.0f} s")
        except OSError as error:
            wrong.append(f"the connection broke: {error.strerror or error}")

    threads = [threading.Thread(target=carry, daemon=True) for _ in range(transfer.streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return "; ".join(dict.fromkeys(wrong))


def _sent(end: socket.socket, content: bytes, size: int, block: int) -> str:
    at = 0
    while at < size:
        start = at % len(content)
        at += end.send(content[start : start + min(block, size - at)])
    answer = end.recv(64).decode("ascii", "replace").strip()
    return "" if answer == f"whole {size}" else f"the device received something else: {answer or 'nothing'}"


def _received(end: socket.socket, content: bytes, size: int, block: int) -> str:
    at = 0
    while at < size:
        data = end.recv(max(block, 1 << 16))
        if not data:
            return f"it ended after {at} of {size} bytes"
        start = at % len(content)
        if data != (content + content)[start : start + len(data)]:
            return f"it is damaged within {len(data)} bytes after {at}"
        at += len(data)
    return ""
