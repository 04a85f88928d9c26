"""Bell: wakes the one thread that waits for keys."""

from __future__ import annotations

import os
import select


class Bell:
    """Rung from any thread, and once rung it stays so."""

    def __init__(self) -> None:
        self._file = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.rung = False

    def ring(self) -> None:
        """Wake whoever waits."""
        self.rung = True
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
