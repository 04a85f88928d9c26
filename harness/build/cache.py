"""The cache of built images: content-addressed, safe between processes, never half-made.

images/KEY/disk.img   read-only, sparse
images/KEY/image.json what was read out of it (no password); written last, so an entry with it is complete
locks/KEY.lock        held shared by whoever uses the image, exclusively by whoever makes or removes it
work/KEY.PID/         where it is being made
programs/NAME/        programs of earlier builds: Go does not link again what is unchanged
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.errors import DISK_FULL, HostDiskFull, InternalError
from harness.image.digest import content_digest
from harness.store.locks import KeyLocks

_DISK = "disk.img"
_META = "image.json"
_KEEP_PROGRAMS = 30 * 24 * 3600.0
"""Seconds."""


@dataclass(frozen=True)
class CacheEntry:
    """A complete image in the cache; ``bytes_on_disk`` is what it takes up, times are seconds since 1970."""

    key: str
    disk: Path
    meta: Mapping[str, Any]
    bytes_on_disk: int
    made: float
    last_used: float

    @property
    def title(self) -> str:
        """What to call it in a list."""
        return " ".join(str(self.meta.get(name, "?")) for name in ("hostname", "arch", "build"))

    def verify(self) -> bool:
        """Whether the image still has the digest it was made with; reads all of it but its holes."""
        return content_digest(self.disk) == self.meta.get("digest")


class NotKept(Exception):
    """An image would have to be made, by a cache that may not."""


class Cache:
    """Images by key. What is handed out cannot be pruned by anybody until close() or the process ends.

    One that may not make images raises NotKept where it would.
    """

    def __init__(self, root: Path, *, may_make: bool = True) -> None:
        self.root = root
        self._may_make = may_make
        self._locks = KeyLocks(root / "locks")

    def __enter__(self) -> Cache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all images that were handed out."""
        self._locks.close()

    def get(
        self,
        key: str,
        make: Callable[[Path, Path], Mapping[str, Any]],
        *,
        progress: Callable[[str], None] = lambda _line: None,
    ) -> CacheEntry:
        """The entry with this key, made by ``make(work, disk)`` when there is none yet.

        ``make`` writes the image to ``disk``, may use the folder ``work``, and returns what to remember about it.
        Of several processes one makes it while the others wait.
        """
        self._prepare()
        entry = self._locks.get(
            key,
            lambda: self._read(key),
            lambda: self._make(key, make),
            waiting=lambda: progress("another process makes this image: waiting for it"),
        )
        os.utime(self._folder(key) / _META)
        return entry

    def _make(self, key: str, make: Callable[[Path, Path], Mapping[str, Any]]) -> None:
        if not self._may_make:
            raise NotKept
        self._remove(self._folder(key))
        self._remove_leftovers(key)
        work = self.root / "work" / f"{key}.{os.getpid()}"
        work.mkdir(parents=True, mode=0o700)
        try:
            self._build_into(key, work, make)
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            raise HostDiskFull(
                "no room on the disk for the image",
                where=str(self.root),
                hint="gokharness cache prune, or another folder for the cache",
            ) from error
        finally:
            self._remove(work)

    def _build_into(self, key: str, work: Path, make: Callable[[Path, Path], Mapping[str, Any]]) -> None:
        made = work / "entry"
        made.mkdir()
        disk = made / _DISK
        (work / "build").mkdir()
        meta = dict(make(work / "build", disk))
        disk.chmod(0o444)
        status = disk.stat()
        meta.update(size=status.st_size, mtime_ns=status.st_mtime_ns)
        (made / _META).write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
        folder = self._folder(key)
        folder.parent.mkdir(parents=True, exist_ok=True)
        made.rename(folder)
        if self._read(key) is None:
            raise InternalError("a cache entry cannot be read back", where=str(folder))

    @contextlib.contextmanager
    def programs(self, name: str) -> Iterator[Path]:
        """The folder that keeps programs under this name; only one process at a time has it."""
        self._prepare()
        with self._locks.alone(f"programs-{name}"):
            folder = self.root / "programs" / name
            folder.mkdir(exist_ok=True)
            os.utime(folder)
            yield folder

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder that is removed afterwards: by the next user of the cache if this process is killed."""
        self._prepare()
        self._sweep()
        key = f"scratch-{uuid.uuid4().hex}"
        folder = self.root / "work" / f"{key}.{os.getpid()}"
        with self._locks.alone(key):
            try:
                folder.mkdir(mode=0o700)
                yield folder
            finally:
                self._remove(folder)
                self._locks.forget(key)

    def _sweep(self) -> None:
        """Remove the work folders of processes that are gone."""
        for leftover in (self.root / "work").iterdir():
            key = leftover.name.split(".")[0]
            with self._locks.if_unused(key) as mine:
                if mine:
                    self._remove(leftover)
                    if key.startswith("scratch-"):
                        self._locks.forget(key)

    def entries(self) -> list[CacheEntry]:
        """All complete entries, the last used first."""
        folders = self.root.glob(f"images/*/{_META}")
        found = [entry for meta in folders if (entry := self._read(meta.parent.name)) is not None]
        return sorted(found, key=lambda entry: entry.last_used, reverse=True)

    def prune(self, max_bytes: int = 0) -> list[CacheEntry]:
        """Remove the longest unused entries until the rest takes at most ``max_bytes``, and all leftovers.

        Entries in use stay. Programs kept for later builds go when nobody built with them for a month, or with
        ``max_bytes`` 0. Returns the removed entries.
        """
        self._prepare()
        entries = self.entries()
        total = sum(entry.bytes_on_disk for entry in entries)
        removed: list[CacheEntry] = []
        for entry in reversed(entries):
            if total <= max_bytes:
                break
            with self._locks.if_unused(entry.key) as mine:
                if mine:
                    self._remove(self._folder(entry.key))
                    removed.append(entry)
                    total -= entry.bytes_on_disk
        self._sweep()
        oldest = time.time() - _KEEP_PROGRAMS if max_bytes else float("inf")
        for folder in (self.root / "programs").iterdir():
            with self._locks.if_unused(f"programs-{folder.name}") as mine:
                if mine and folder.stat().st_mtime < oldest:
                    self._remove(folder)
        return removed

    def _prepare(self) -> None:
        # Images hold passwords and keys, so nobody else may read them.
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("images", "locks", "work", "programs"):
            (self.root / name).mkdir(exist_ok=True, mode=0o700)

    def _folder(self, key: str) -> Path:
        return self.root / "images" / key

    def _read(self, key: str) -> CacheEntry | None:
        """The entry if it is complete and its image has the size and time it was made with."""
        folder = self._folder(key)
        try:
            meta = json.loads((folder / _META).read_text("utf-8"))
            status = (folder / _DISK).stat()
            used = (folder / _META).stat().st_mtime
        except (OSError, ValueError):
            return None
        if (status.st_size, status.st_mtime_ns) != (meta.get("size"), meta.get("mtime_ns")):
            return None
        return CacheEntry(
            key=key,
            disk=folder / _DISK,
            meta=meta,
            bytes_on_disk=status.st_blocks * 512,
            made=status.st_mtime,
            last_used=used,
        )

    def _remove_leftovers(self, key: str) -> None:
        """What interrupted builds of this key left; its lock is held exclusively, so nobody works there."""
        for leftover in (self.root / "work").glob(f"{key}.*"):
            self._remove(leftover)

    @staticmethod
    def _remove(path: Path) -> None:
        shutil.rmtree(path, ignore_errors=True)
