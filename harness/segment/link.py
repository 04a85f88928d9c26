"""Link: the wire between the segment and one QEMU process, which hands out the guest's frames and takes ours."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable

MOST_WAITING = 1 << 20
"""Bytes of frames that may wait for QEMU to take them; more are lost, as on any network."""


class Link:
    """From ``start`` to ``close``; ``hear`` gets each frame of the guest, and returns those that answer it.

    ``for_qemu`` are the ends for QEMU: where it writes the guest's frames, and where it reads frames for it. Each
    frame has its length before it.
    """

    def __init__(self, hear: Callable[[bytes], Iterable[bytes]]) -> None:
        self._hear = hear
        self._mirror, mirror = socket.socketpair()
        self._entry, entry = socket.socketpair()
        self._entry.setblocking(False)
        self.for_qemu = (mirror, entry)
        self._heard = bytearray()
        self._to_send = bytearray()
        self._thread = threading.Thread(target=self._run, name="segment", daemon=True)

    def start(self) -> None:
        """Begin to listen, once QEMU has its ends."""
        for end in self.for_qemu:
            end.close()
        self._thread.start()

    def close(self) -> None:
        """Stop, and wait until the last frame was heard."""
        with contextlib.suppress(OSError):
            self._mirror.shutdown(socket.SHUT_RDWR)
        if self._thread.ident is not None:
            self._thread.join()
        for one in (self._mirror, self._entry, *self.for_qemu):
            one.close()

    def _run(self) -> None:
        while True:
            try:
                data = self._mirror.recv(1 << 16)
            except OSError:
                return
            if not data:
                return
            self._heard += data
            while (frame := self._next()) is not None:
                for answer in self._hear(frame):
                    self._send(answer)

    def _next(self) -> bytes | None:
        if len(self._heard) < 4:
            return None
        size = struct.unpack_from("!I", self._heard)[0]
        if len(self._heard) < 4 + size:
            return None
        frame = bytes(self._heard[4 : 4 + size])
        del self._heard[: 4 + size]
        return frame

    def _send(self, frame: bytes) -> None:
        if len(self._to_send) < MOST_WAITING:
            self._to_send += struct.pack("!I", len(frame)) + frame
        with contextlib.suppress(BlockingIOError):
            try:
                del self._to_send[: self._entry.send(self._to_send)]
            except ConnectionError:
                self._to_send.clear()
