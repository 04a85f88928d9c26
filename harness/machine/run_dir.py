"""The private folder of one run, the guard over it, and the removal of what dead runs left behind."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from harness.errors import HostDiskFull, HostFault
from harness.lifetime.process import Guard
from harness.machine.qmp import LoopThread

PREFIX = "run-"
LOCK = "lock"
LONGEST_BASE = 60
"""Longer runtime folders are not used: a path to a Unix socket has at most 107 bytes."""


@dataclass
class LockedFolder:
    """A folder whose lock file is held for as long as its owner lives; ``path`` is only ours (0700)."""

    path: Path
    lock: int

    @classmethod
    def create(cls, base: Path) -> LockedFolder:
        """Make a new folder under ``base``, which is made private first if it does not exist."""
        with _base_locked(base):
            path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
            lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
        return cls(path, lock)

    def remove(self) -> None:
        """Remove it with all that is in it, and give the lock up."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


def remove_leftovers(base: Path) -> list[Path]:
    """Remove the folders under ``base`` whose owner is dead (its lock is free); returns what was removed."""
    removed: list[Path] = []
    if not base.is_dir():
        return removed
    with _base_locked(base):
        for path in sorted(base.glob(f"{PREFIX}*")):
            try:
                status = path.lstat()
            except FileNotFoundError:
                # Its owner has removed it meanwhile.
                continue
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                continue
            try:
                lock = os.open(path / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                # Its owner died between making the folder and its lock: nobody else can be here, the base is ours.
                shutil.rmtree(path, ignore_errors=True)
                removed.append(path)
                continue
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            else:
                shutil.rmtree(path, ignore_errors=True)
                removed.append(path)
            finally:
                os.close(lock)
    return removed


@contextlib.contextmanager
def _base_locked(base: Path) -> Iterator[None]:
    """Hold the lock of ``base``: nobody creates or removes folders in it meanwhile."""
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HostFault(f"cannot make the folder {base}: {error.strerror}", where=str(base)) from error
    status = base.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise HostFault(
            f"{base} is not a private folder of this user",
            where=str(base),
            hint="remove it, or set XDG_RUNTIME_DIR or TMPDIR to a folder of your own",
        )
    lock = os.open(base / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def runtime_base() -> Path:
    """Where short-lived small things go: under $XDG_RUNTIME_DIR if that is short and usable, else /tmp."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and len(runtime) <= LONGEST_BASE and os.access(runtime, os.W_OK):
        return Path(runtime) / "gokharness"
    return Path("/tmp") / f"gokharness-{os.getuid()}"  # noqa: S108  checked to be private before it is used


def work_base(work: Path | None) -> Path:
    """Where disks go: the given work folder, else the folder for temporary files."""
    return (work or Path(tempfile.gettempdir())) / f"gokharness-work-{os.getuid()}"


class RunDir:
    """Everything one run puts on this machine: a small private folder, a place for disks, the guard, the QMP loop.

    One per process is enough; ``close`` (or leaving the ``with`` block) ends every machine and removes both
    folders, and the guard does the same when the process dies first. Folders of runs that died with the host are
    removed when a RunDir is made; ``removed`` lists them.
    """

    def __init__(self, *, work: Path | None = None) -> None:
        self.removed = [*remove_leftovers(runtime_base()), *remove_leftovers(work_base(work))]
        self._small = LockedFolder.create(runtime_base())
        try:
            self._bulky = LockedFolder.create(work_base(work))
        except BaseException:
            self._small.remove()
            raise
        self.path = self._small.path
        """For small files: firmware variables, kernels, device trees."""
        self.work = self._bulky.path
        """For disk overlays and snapshots."""
        self.guard = Guard([self.path, self.work])
        self.loop = LoopThread()
        self._numbers = itertools.count(1)
        self._closed = False

    def folder(self, name: str, *, bulky: bool = False) -> Path:
        """Make a new folder for one machine, overlay or snapshot; raises HostDiskFull."""
        path = (self.work if bulky else self.path) / f"{name}-{next(self._numbers)}"
        try:
            path.mkdir(mode=0o700)
        except OSError as error:
            raise HostDiskFull(f"cannot make the folder {path}: {error.strerror}", where=str(path)) from error
        return path

    def close(self) -> None:
        """End every machine of the run and remove its folders; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        self.guard.close()
        self.loop.close()
        self._small.remove()
        self._bulky.remove()

    def __enter__(self) -> RunDir:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
