"""A relay in the network of a machine that runs: each frame of the guest goes through it, or is lost in it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.machine.machine import Machine

HEAD = struct.Struct("!I")
"""The length before each frame."""
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
def relayed(machine: Machine, folder: Path, keep: Keep) -> Iterator[list[int]]:
    """Have what the guest sends go through a relay of this process; gives the sizes of what was lost."""
    ends: dict[str, socket.socket] = {}
    for name in ("out", "in"):
        with socket.socket(socket.AF_UNIX) as listener:
            path = folder / name
            listener.bind(str(path))
            listener.listen()
            address = {"type": "unix", "data": {"path": str(path)}}
            backend = {"type": "socket", "data": {"addr": address, "server": False}}
            machine.execute("chardev-add", {"id": f"relay-{name}", "backend": backend})
            ends[name], _ = listener.accept()
            path.unlink()
    # What was added last sees what the guest sends first (net/net.c, filter_receive_iov).
    for name, way in (("in", "indev"), ("out", "outdev")):
        rows = {"qom-type": "filter-redirector", "id": f"relay-{name}-filter", "netdev": "net0", "queue": "rx"}
        machine.execute("object-add", {**rows, way: f"relay-{name}"})
    lost: list[int] = []

    def carry() -> None:
        with contextlib.suppress(OSError), ends["out"].makefile("rb") as frames:
            while head := frames.read(HEAD.size):
                frame = frames.read(*HEAD.unpack(head))
                if keep(frame):
                    ends["in"].sendall(head + frame)
                else:
                    lost.append(len(frame))

    thread = threading.Thread(target=carry, daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        for end in ends.values():
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        thread.join()
        for end in ends.values():
            end.close()
