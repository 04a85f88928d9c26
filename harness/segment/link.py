"""Link: the wire between the segment and one QEMU process, through which all goes that the guest sends."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Callable, Iterable

MOST_WAITING = 1 << 20
"""Bytes of frames that may wait for QEMU to take them; more are lost, as on any network."""

Hear = Callable[[bytes], Iterable[bytes] | None]
"""What becomes of a frame of the guest: the frames that answer it, or None for one that goes on its way."""


class Link:
    """From ``start`` to ``close``, or to the end of QEMU.

    ``for_qemu`` are the ends for QEMU: where it writes the guest's frames, where it reads those that go on to its
    own network, and where it reads those for the guest. Each frame has its length before it.
    """

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._out, out = socket.socketpair()
        self._on, on = socket.socketpair()
        self._in, into = socket.socketpair()
        self.for_qemu = (out, on, into)
        self._heard = bytearray()
        self._waiting = {self._on: bytearray(), self._in: bytearray()}
        for end in self._waiting:
            end.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="segment", daemon=True)

    def start(self) -> None:
        """Begin to listen, once QEMU has its ends."""
        for end in self.for_qemu:
            end.close()
        self._thread.start()

    def close(self) -> None:
        """Stop, once the last frame was heard."""
        with contextlib.suppress(OSError):
            self._out.shutdown(socket.SHUT_RDWR)
        if self._thread.ident is not None:
            self._thread.join()
        for one in (self._out, *self._waiting, *self.for_qemu):
            one.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ)
            while True:
                for end, frames in self._waiting.items():
                    if frames and end not in selector.get_map():
                        selector.register(end, selectors.EVENT_WRITE)
                    elif not frames and end in selector.get_map():
                        selector.unregister(end)
                for key, _ in selector.select():
                    if key.fileobj is not self._out:
                        self._send(key.fileobj)  # type: ignore[arg-type]
                    elif not self._listen():
                        return

    def _listen(self) -> bool:
        """Take in what the guest sent; False when QEMU has gone, or nobody listens any more."""
        try:
            data = self._out.recv(1 << 16)
        except OSError:
            return False
        self._heard += data
        while (frame := self._next()) is not None:
            answers = self._hear(frame)
            if answers is None:
                self._put(self._on, frame)
            else:
                for answer in answers:
                    self._put(self._in, answer)
        return bool(data)

    def _next(self) -> bytes | None:
        if len(self._heard) < 4:
            return None
        size = struct.unpack_from("!I", self._heard)[0]
        if len(self._heard) < 4 + size:
            return None
        frame = bytes(self._heard[4 : 4 + size])
        del self._heard[: 4 + size]
        return frame

    def _put(self, end: socket.socket, frame: bytes) -> None:
        waiting = self._waiting[end]
        if len(waiting) < MOST_WAITING:
            waiting += struct.pack("!I", len(frame)) + frame
        self._send(end)

    def _send(self, end: socket.socket) -> None:
        waiting = self._waiting[end]
        with contextlib.suppress(BlockingIOError):
            try:
                del waiting[: end.send(waiting)]
            except OSError:
                waiting.clear()
