"""The network of a machine that runs, taken in hand: its guest's frames come here, and others can be put in."""

from __future__ import annotations

import contextlib
import socket
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.machine.machine import Machine

HEAD = struct.Struct("!I")
"""The length before each frame."""
FILTERS = {"give": ("tx", "indev"), "back": ("rx", "indev"), "out": ("rx", "outdev")}
"""QEMU's filters at the user network: their direction, and which end is ours. The one that was added last sees
first what the guest sends (net/net.c, ``filter_receive_iov``)."""


class Tap:
    """The network of one machine, from ``tapped`` to the end of its block; then the guest reaches nobody."""

    def __init__(self, ends: dict[str, socket.socket]) -> None:
        self._ends = ends

    def frames(self) -> Iterator[bytes]:
        """What the guest sends, frame by frame, until the machine or the block ends."""
        with contextlib.suppress(OSError), self._ends["out"].makefile("rb") as stream:
            while head := stream.read(HEAD.size):
                yield stream.read(*HEAD.unpack(head))

    def pass_on(self, frame: bytes) -> None:
        """Let a frame of the guest go on its way to the host that QEMU plays."""
        self._put("back", frame)

    def give(self, frame: bytes) -> None:
        """Put a frame onto the wire that leads to the guest."""
        self._put("give", frame)

    def _put(self, where: str, frame: bytes) -> None:
        # A machine that ends takes nothing any more.
        with contextlib.suppress(OSError):
            self._ends[where].sendall(HEAD.pack(len(frame)) + frame)


@contextlib.contextmanager
def tapped(machine: Machine) -> Iterator[Tap]:
    """Take the network of a machine that runs in hand; raises QemuFailed."""
    ends: dict[str, socket.socket] = {}
    with contextlib.ExitStack() as open_ends:
        # The path of a socket is short.
        folder = open_ends.enter_context(tempfile.TemporaryDirectory(prefix="gk-tap-"))
        for name in FILTERS:
            with socket.socket(socket.AF_UNIX) as listener:
                path = str(Path(folder, name))
                listener.bind(path)
                listener.listen()
                address = {"type": "unix", "data": {"path": path}}
                backend = {"type": "socket", "data": {"addr": address, "server": False}}
                machine.execute("chardev-add", {"id": f"tap-{name}", "backend": backend})
                ends[name] = open_ends.enter_context(listener.accept()[0])
        for name, (queue, end) in FILTERS.items():
            filter_ = {"qom-type": "filter-redirector", "id": f"tap-{name}-filter", "netdev": "net0"}
            machine.execute("object-add", {**filter_, "queue": queue, end: f"tap-{name}"})
        try:
            yield Tap(ends)
        finally:
            for one in ends.values():
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
