"""A process that ends when its parent does: a worker of pytest-xdist would otherwise outlive a killed run.

A worker notices the end of its controller only between two tests, and a test may wait for minutes.
"""

from __future__ import annotations

import os
import select
import signal
import threading


def end_with_parent(parent: int) -> None:
    """Have this process killed as soon as ``parent``, which started it, is gone, however that ended."""
    try:
        watched = os.pidfd_open(parent)
    except ProcessLookupError:
        os.kill(os.getpid(), signal.SIGKILL)
        return
    # It may have died before, and its number be another's already.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)

    def watch() -> None:
        poll = select.poll()
        poll.register(watched, select.POLLIN)
        poll.poll()
        # The machines are the guard's to end, and nobody is left to whom anything could be said.
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
