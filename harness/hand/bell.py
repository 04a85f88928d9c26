"""Bell: wakes the one thread that waits for keys."""

from __future__ import annotations

import os
import select
import threading
from typing import Self


class Bell:
    """Rung from any thread, and once rung it stays so; within a ``with`` block somebody may wait for it."""

    def __init__(self) -> None:
        self._file = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._open = threading.Lock()
        self.rung = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._open:
            os.close(self._file)
            self._file = -1

    def ring(self) -> None:
        """Wake whoever waits; after the block nobody does."""
        with self._open:
            self.rung = True
            if self._file >= 0:
                os.eventfd_write(self._file, 1)

    def wait(self) -> None:
        """Wait until it is rung."""
        poll = select.poll()
        poll.register(self._file, select.POLLIN)
        poll.poll()

    def wait_for_keys(self, keys: int) -> bytes | None:
        """Return what was typed, None once the bell rings or nobody can type any more."""
        poll = select.poll()
        poll.register(keys, select.POLLIN)
        poll.register(self._file, select.POLLIN)
        if keys not in dict(poll.poll()) or self.rung:
            return None
        try:
            return os.read(keys, 4096) or None
        except OSError:
            # The terminal has gone.
            return None
