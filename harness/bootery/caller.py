"""Caller: who made a request and waits for its answer, and may go away meanwhile."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable
from typing import Self

GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR


class Caller:
    """One connection, watched while its request is worked on; made for a ``with`` block."""

    def __init__(self, connection: socket.socket, address: str) -> None:
        self.address = address
        self.gone = threading.Event()
        self._connection = connection
        self._over = os.eventfd(0, os.EFD_CLOEXEC)
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._watcher = threading.Thread(target=self._watch, name="bootery-caller", daemon=True)

    def when_gone(self, listener: Callable[[], None]) -> None:
        """Call this once the caller goes away, at once if that has happened; in a thread of its own."""
        with self._lock:
            if not self.gone.is_set():
                self._listeners.append(listener)
                return
        listener()

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.eventfd_write(self._over, 1)
        self._watcher.join()
        os.close(self._over)

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._connection, GONE)
        poll.register(self._over, select.POLLIN)
        if self._over in dict(poll.poll()):
            return
        with self._lock:
            self.gone.set()
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()
