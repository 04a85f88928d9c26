"""A bad network under a machine that runs: each frame of its guest goes through it, or is lost in it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from harness.machine.machine import Machine
from harness.machine.tap import tapped

IPV4, TCP = b"\x08\x00", 6
Keep = Callable[[bytes], bool]


def no_large_segment_from(port: int, *, most: int = 1000) -> Keep:
    """Keep all but the TCP segments from a port that are above so many bytes."""

    def keep(frame: bytes) -> bool:
        if len(frame) <= most or frame[12:14] != IPV4 or frame[23] != TCP:
            return True
        at = 14 + (frame[14] & 15) * 4
        return int.from_bytes(frame[at : at + 2], "big") != port

    return keep


@contextlib.contextmanager
def relayed(machine: Machine, keep: Keep) -> Iterator[list[int]]:
    """Have what the guest sends go through a relay of this process; gives the sizes of what was lost."""
    lost: list[int] = []
    with contextlib.ExitStack() as ends:
        tap = ends.enter_context(tapped(machine))

        def carry() -> None:
            for frame in tap.frames():
                if keep(frame):
                    tap.pass_on(frame)
                else:
                    lost.append(len(frame))

        threading.Thread(target=carry, daemon=True).start()
        yield lost
