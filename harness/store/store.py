"""Snapshots by key, shared between processes and, if they are to persist, between runs; never half-made.

KEY/            what was made, and about.json: written last, so an entry with it is complete
locks/KEY.lock  held shared by whoever uses the entry, exclusively by whoever makes or removes it

An entry is made where it stays, as a disk names the files under it by their paths.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.store.locks import KeyLocks

ABOUT = "about.json"
LOCKS = "locks"


@dataclass(frozen=True)
class Entry:
    """A complete entry; ``last_used`` is in seconds since 1970."""

    key: str
    folder: Path
    about: Mapping[str, Any]
    last_used: float

    @property
    def title(self) -> str:
        """What to call it in a list."""
        return str(self.about.get("title", "?"))

    def allocated(self) -> int:
        """Bytes it takes up on this machine; what is shared with others by a link is theirs."""
        files = [path.stat() for path in self.folder.iterdir()]
        return sum(status.st_blocks * 512 for status in files if status.st_nlink == 1)


class Store:
    """Entries under ``root``. Nobody can remove what was handed out until ``close`` or the process ends.

    ``durable`` entries are whole even after the host loses power. ``say`` is called when another process must be
    waited for.
    """

    def __init__(self, root: Path, *, durable: bool = False, say: Callable[[str], None] = lambda _: None) -> None:
        self.root = root
        self._durable = durable
        self._say = say
        self._locks = KeyLocks(root / LOCKS)

    def get(self, key: str, make: Callable[[Path], Mapping[str, Any]]) -> Entry:
        """The entry with this key, whose folder ``make`` fills when there is none; it returns what to know of it.

        Of several processes one makes it while the others wait.
        """
        self._prepare()
        entry = self._locks.get(
            key,
            lambda: self._read(key),
            lambda: self._make(key, make),
            waiting=lambda: self._say("another process makes what this one needs: waiting for it"),
        )
        os.utime(entry.folder / ABOUT)
        return entry

    def entries(self) -> list[Entry]:
        """All complete entries, the last used first."""
        found = (self._read(path.parent.name) for path in self.root.glob(f"*/{ABOUT}"))
        return sorted((one for one in found if one is not None), key=lambda one: one.last_used, reverse=True)

    def prune(self, max_bytes: int = 0) -> list[Entry]:
        """Remove the longest unused entries until the rest takes at most ``max_bytes``, and all that is half-made.

        Entries in use stay. Returns the removed ones.
        """
        self._prepare()
        entries = self.entries()
        total = sum(entry.allocated() for entry in entries)
        removed: list[Entry] = []
        for entry in reversed(entries):
            if total <= max_bytes:
                break
            size = entry.allocated()
            if self._remove_unused(entry.key):
                removed.append(entry)
                total -= size
        whole = {entry.key for entry in entries}
        for folder in self.root.iterdir():
            if folder.name not in whole and folder.name != LOCKS:
                self._remove_unused(folder.name)
        return removed

    def close(self) -> None:
        """Let go of all that was handed out."""
        self._locks.close()

    def _make(self, key: str, make: Callable[[Path], Mapping[str, Any]]) -> None:
        folder = self.root / key
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            about = {**make(folder), "folder": str(folder)}
            if self._durable:
                _write_back(folder)
            unfinished = folder / f"{ABOUT}.new"
            unfinished.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
            unfinished.rename(folder / ABOUT)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _read(self, key: str) -> Entry | None:
        """The entry if it is complete, and lies where it was made."""
        folder = self.root / key
        try:
            about = json.loads((folder / ABOUT).read_text("utf-8"))
            used = (folder / ABOUT).stat().st_mtime
        except (OSError, ValueError):
            return None
        return Entry(key, folder, about, used) if about.get("folder") == str(folder) else None

    def _remove_unused(self, key: str) -> bool:
        with self._locks.if_unused(key) as mine:
            if mine:
                # First what makes it complete: a removal that is cut short must not leave something to be used.
                (self.root / key / ABOUT).unlink(missing_ok=True)
                shutil.rmtree(self.root / key, ignore_errors=True)
            return mine

    def _prepare(self) -> None:
        # The memory of a machine holds passwords and keys, so nobody else may read it.
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.root / LOCKS).mkdir(exist_ok=True, mode=0o700)


def _write_back(folder: Path) -> None:
    """Wait until this host's disk has what is in the folder."""
    for path in folder.iterdir():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
