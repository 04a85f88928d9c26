"""The thread that always drains the console's socket, so that the guest never waits for us."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from harness.errors import DeviceUnreachable, InternalError, WaitTimeout

T = TypeVar("T")

_CHUNK = 65536
_JOIN = 10.0
"""Seconds within which the thread must have ended; it never waits for anything but the socket."""
_LAST_LOOK = 0.5
"""Seconds for which a stopped reader goes on reading a guest that never pauses."""


class Stream(Protocol):
    """What a reader needs of a connection: a socket has it, and a serial line."""

    def fileno(self) -> int:
        """What ``poll`` waits for."""

    def setblocking(self, flag: bool, /) -> None:
        """Whether ``recv`` and ``send`` may wait; without that they raise BlockingIOError."""

    def recv(self, size: int, /) -> bytes:
        """Return what is there, nothing at the end; raises OSError."""

    def send(self, data: memoryview, /) -> int:
        """Write as many bytes as go; returns how many did. Raises OSError."""

    def close(self) -> None:
        """Let go of it."""


class Reader:
    """Reads a connected stream socket until it ends or ``stop`` is called; owns the socket."""

    def __init__(
        self,
        sock: Stream,
        *,
        on_data: Callable[[bytes], None],
        on_tick: Callable[[], float | None],
        on_end: Callable[[], None],
        on_failure: Callable[[Exception], None],
    ) -> None:
        """``on_tick`` is called after each chunk and when its own answer (seconds from now, or None) is over.

        An exception of any of them goes to ``on_failure``, and the draining goes on.
        """
        self._socket = sock
        self._on_data = on_data
        self._on_tick = on_tick
        self._on_end = on_end
        self._on_failure = on_failure
        self._stop = False
        self._wake_out, self._wake_in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._sending = threading.Lock()
        self._waking = threading.Lock()
        self.ended = threading.Event()
        """Set when the other end closed the console (QEMU ended)."""
        sock.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="console-reader", daemon=True)

    def start(self) -> None:
        """Begin to drain."""
        self._thread.start()

    def wake(self) -> None:
        """Make the thread call ``on_tick`` now."""
        with self._waking, contextlib.suppress(BlockingIOError):
            if self._wake_in >= 0:
                os.write(self._wake_in, b".")

    def stop(self) -> None:
        """Read what is there already, end the thread and close the socket; raises InternalError if it hangs."""
        self._stop = True
        self.wake()
        self._thread.join(_JOIN)
        if self._thread.is_alive():
            raise InternalError("the console reader did not end", where=f"after {_JOIN:.0f} s")
        with self._sending:
            self._socket.close()
        with self._waking:
            os.close(self._wake_in)
            os.close(self._wake_out)
            self._wake_in = self._wake_out = -1

    def send(self, data: bytes, *, timeout: float) -> None:
        """Write to the console; raises WaitTimeout when the guest takes nothing, DeviceUnreachable at its end."""
        until = time.monotonic() + timeout
        with self._sending:
            view = memoryview(data)
            while view:
                left = until - time.monotonic()
                if left <= 0 or not _writable(self._socket, left):
                    raise WaitTimeout(
                        f"waited {timeout:.0f} s for the appliance to take {len(view)} bytes of console input"
                    )
                try:
                    view = view[self._socket.send(view) :]
                except BlockingIOError:
                    continue
                except OSError as error:
                    raise DeviceUnreachable(f"the console is closed: {error.strerror}") from error

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(self._wake_out, select.POLLIN)
        try:
            while not self._stop:
                wait = self._guarded(self._on_tick)
                poll.poll(None if wait is None else max(0.0, wait) * 1000 + 1)
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_out, _CHUNK)
                if not self._drain() and not self._stop:
                    self.ended.set()
                    return
            last = time.monotonic() + _LAST_LOOK
            while time.monotonic() < last and self._drain():
                pass
        finally:
            self._guarded(self._on_end)

    def _guarded(self, act: Callable[[], T]) -> T | None:
        try:
            return act()
        except Exception as error:
            self._on_failure(error)
            return None

    def _drain(self) -> bool:
        """Read one chunk if there is one; returns False at the end of the stream."""
        try:
            data = self._socket.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return not self._stop
        except OSError:
            return False
        if data:
            self._guarded(lambda: self._on_data(data))
        return bool(data)


def _writable(sock: Stream, timeout: float) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    return bool(poll.poll(timeout * 1000))
