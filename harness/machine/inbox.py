"""What a QEMU reports, put into order: its events, which come over QMP, and then how its process ended."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator

from harness.lifetime.process import Exit
from harness.machine.qmp import Event

LAST_WORDS = 2.0
"""Seconds that QEMU's last events may lag behind its end."""


class Inbox:
    """A queue that several threads fill, and one thread reads once."""

    def __init__(self) -> None:
        self._items: queue.SimpleQueue[Event | Exit | None] = queue.SimpleQueue()

    def put(self, item: Event | Exit) -> None:
        """Something was heard."""
        self._items.put(item)

    def hung_up(self) -> None:
        """No more events will come."""
        self._items.put(None)

    def until_exit(self) -> Iterator[Event | Exit]:
        """All events as they come, also those that come after the Exit, which is the last one out."""
        exit_: Exit | None = None
        deadline = float("inf")
        heard_all = False
        while exit_ is None or not heard_all:
            try:
                item = self._items.get(timeout=None if exit_ is None else max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if item is None:
                heard_all = True
            elif isinstance(item, Exit):
                exit_, deadline = item, time.monotonic() + LAST_WORDS
            else:
                yield item
        if exit_ is not None:
            yield exit_
