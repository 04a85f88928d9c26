"""The network of a machine that runs, taken in hand: its guest's frames come here, and others can be put in."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

from harness.machine.joins import redirect, stop_redirecting
from harness.machine.machine import Machine

HEAD = struct.Struct("!I")
"""The length before each frame."""
ENDS = ("out", "back", "give")
"""Our ends, in the order of QEMU's."""
NAME = "tap"
"""A machine has one at a time."""


class Tap:
    """The network of one machine, from ``tapped`` to the end of its block; then QEMU has it again."""

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
    with contextlib.ExitStack() as open_ends:
        ours, for_qemu = list[socket.socket](), list[socket.socket]()
        for _ in ENDS:
            for end, side in zip(socket.socketpair(), (ours, for_qemu), strict=True):
                side.append(open_ends.enter_context(end))
        try:
            redirect(machine, NAME, for_qemu)
            for end in for_qemu:
                # QEMU has copies: ours end when it does.
                end.close()
            yield Tap(dict(zip(ENDS, ours, strict=True)))
        finally:
            stop_redirecting(machine, NAME)
            for end in ours:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
