"""Locks by key, shared between processes: who uses or makes what a key stands for holds its lock shared, who
removes it exclusively. Of those who want to make it, one at a time does. Whatever ends a process frees its locks.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class KeyLocks:
    """The locks in ``folder``; what ``get`` returned stays locked until ``close`` or the process ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def get(
        self, key: str, read: Callable[[], T | None], make: Callable[[], None], *, waiting: Callable[[], None]
    ) -> T:
        """What ``read`` finds under this key, made by ``make`` when that is nothing, and locked against removal.

        Of several processes one makes it while the others wait, after a call of ``waiting``: for as long as that
        one lives, as its own waits have their limits.
        """
        handle = self._held.pop(key, None)
        if handle is None:
            handle = self._open(key)
        try:
            # Kept from here on: nobody removes what is found or made.
            _lock(handle, fcntl.LOCK_SH, waiting)
            found = read()
            if found is None:
                # A lock of its own: with one that goes from exclusive to shared, its maker can be a user before
                # those who wait to make it, and they would wait until that user ends.
                with self.alone(f"{key}.make", waiting):
                    # Whoever was waited for may have made it.
                    while (found := read()) is None:
                        make()
        except BaseException:
            os.close(handle)
            raise
        self._held[key] = handle
        return found

    @contextlib.contextmanager
    def alone(self, key: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Wait until nobody else uses this key, and keep it so while the context lasts."""
        handle = self._open(key)
        try:
            _lock(handle, fcntl.LOCK_EX, waiting)
            yield
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def if_unused(self, key: str) -> Iterator[bool]:
        """Whether nobody uses this key, and nobody can while the context lasts."""
        if key in self._held:
            yield False
            return
        handle = self._open(key)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(handle)

    def forget(self, key: str) -> None:
        """Remove the lock of a key that nobody will ask for again."""
        self._path(key).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of all that was got."""
        for handle in self._held.values():
            os.close(handle)
        self._held.clear()

    def _open(self, key: str) -> int:
        return os.open(self._path(key), os.O_RDWR | os.O_CREAT, 0o600)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.lock"


def _lock(handle: int, kind: int, waiting: Callable[[], None]) -> None:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        waiting()
        fcntl.flock(handle, kind)
