"""Room on this host: memory and processors are reserved, across processes, before a machine starts.

A reservation is a named pipe in its owner's run folder, held open by the owner; its size stands in its name. When
the owner ends, however it does, the kernel closes the pipe, and whoever waits is woken. One process waits at a
time, the others queue at a lock behind it. Whoever wants two machines at once asks for the room of both before the
first one starts. A process that has a machine already never waits, so that two of them cannot wait for each other:
a machine that nobody foresaw may crowd the host, which is better than a run that stands still.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import re
import select
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HostTooBusy
from harness.machine.run_dir import PREFIX, RunDir

CPUS_PER_CORE = 3.0
"""Guests' processors for each of the host's: a guest boots on one or two of its own and then mostly idles, so that
a Raspberry Pi with four and another machine with two share two cores."""
MEMORY_SHARE = 0.8
"""Of the host's memory that machines may have in all."""
MARGIN = 256
"""MiB that must stay available beside a new machine, for QEMU itself and everybody else."""
FRESH = 20.0
"""Seconds that a new machine takes to touch its memory: until then the host still counts that as available."""
LOOK = 1.0
"""Seconds between two looks at the host's memory: no event says that it has changed."""
WAIT_LIMIT = 3600.0
QUEUE = ".queue"

_NAME = re.compile(r"room-\d+-(\d+)m-(\d+)c")
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class HostCapacity:
    """What this machine has: memory in MiB, processors."""

    cores: int
    total: int
    available: int

    @classmethod
    def now(cls) -> HostCapacity:
        """As it is at this moment, within the limits of this process's control group."""
        said = Path("/proc/meminfo").read_text()
        total, available = (_kilobytes(said, name) // 1024 for name in ("MemTotal", "MemAvailable"))
        with contextlib.suppress(OSError, ValueError):
            limit = int((_CGROUP / "memory.max").read_text()) >> 20
            used = int((_CGROUP / "memory.current").read_text()) >> 20
            total, available = min(total, limit), min(available, limit - used)
        return cls(len(os.sched_getaffinity(0)), total, available)


@dataclass(frozen=True)
class Held:
    """A reservation of a process that lives; ``pipe`` hangs up when it is over."""

    memory: int
    cpus: int
    age: float
    pipe: int


class Room:
    """This process's reservations; ``say`` prints that a machine must wait, ``waited`` keeps how many seconds."""

    def __init__(
        self,
        run_dir: RunDir,
        *,
        host: Callable[[], HostCapacity] = HostCapacity.now,
        say: Callable[[str], None] = lambda _: None,
        waited: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._waited = waited
        self._folder = run_dir.path
        self._host = host
        self._say = say
        self._numbers = itertools.count(1)
        self._open: dict[Path, int] = {}
        self._kept = 0
        """For how many machines there is room that is kept, and no machine in it."""

    @contextlib.contextmanager
    def reserve(self, memory: int, cpus: int, *, limit: float = WAIT_LIMIT) -> Iterator[None]:
        """Wait until this host has room for a machine of so many MiB and processors, and keep it for the block.

        Raises HostTooBusy after ``limit`` seconds.
        """
        if self._kept:
            # Room that is kept is this machine's, until it ends.
            self._kept -= 1
            try:
                yield
            finally:
                self._kept += 1
            return
        pipe = self._take(memory, cpus) if self._open else self._in_turn(memory, cpus, limit)
        try:
            yield
        finally:
            pipe.unlink(missing_ok=True)
            os.close(self._open.pop(pipe))

    @contextlib.contextmanager
    def kept(self, memory: int, cpus: int, *, machines: int = 1) -> Iterator[None]:
        """Reserve room for so many machines at a time: none that starts in the block waits again."""
        with self.reserve(memory * machines, cpus * machines):
            self._kept += machines
            try:
                yield
            finally:
                self._kept -= machines

    def _in_turn(self, memory: int, cpus: int, limit: float) -> Path:
        began = time.monotonic()
        queue = os.open(self._folder.parent / QUEUE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            waited = not self._first(queue)
            while True:
                held = self._held()
                try:
                    short = self._short_of(memory, cpus, held)
                    if not short:
                        break
                    if not waited:
                        self._say(f"gokrazy: waiting for room on this machine: {short}")
                        waited = True
                    if time.monotonic() - began > limit:
                        raise HostTooBusy(
                            f"waited {limit:.0f} s for room for one more machine",
                            hint="end other runs, or use fewer workers (-n)",
                            evidence=short,
                        )
                    _until_one_ends(held)
                finally:
                    for one in held:
                        os.close(one.pipe)
            if waited:
                self._waited(time.monotonic() - began)
            return self._take(memory, cpus)
        finally:
            os.close(queue)

    def _first(self, queue: int) -> bool:
        """Become the one who waits for room; False when others waited before."""
        try:
            fcntl.flock(queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._say("gokrazy: waiting for room on this machine: others wait before")
            fcntl.flock(queue, fcntl.LOCK_EX)
            return False
        return True

    def _short_of(self, memory: int, cpus: int, held: list[Held]) -> str:
        """What there is too little of, "" when there is enough. The only machine of a host always has room."""
        if not held:
            return ""
        host = self._host()
        most = int(host.cores * CPUS_PER_CORE)
        used = sum(one.cpus for one in held)
        if used + cpus > most:
            return f"{len(held)} machines have {used} processors, of {most} that {host.cores} cores may play"
        used, most = sum(one.memory for one in held), int(host.total * MEMORY_SHARE)
        if used + memory > most:
            return f"{len(held)} machines have {used} MiB, of {most} that they may have; one more needs {memory}"
        left = host.available - sum(one.memory for one in held if one.age < FRESH)
        if left < memory + MARGIN:
            return f"{left} MiB of memory are available, and {memory} + {MARGIN} are needed"
        return ""

    def _take(self, memory: int, cpus: int) -> Path:
        name = f"room-{next(self._numbers)}-{memory}m-{cpus}c"
        unborn = self._folder / f".{name}"
        os.mkfifo(unborn, 0o600)
        # Opened for both, as a writer alone would wait for a reader; renamed when it is held: never seen without.
        descriptor = os.open(unborn, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        pipe = unborn.rename(self._folder / name)
        self._open[pipe] = descriptor
        return pipe

    def _held(self) -> list[Held]:
        held: list[Held] = []
        for path in _pipes(self._folder.parent):
            name = _NAME.fullmatch(path.name)
            try:
                pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
            except OSError:
                continue
            try:
                dead = os.read(pipe, 1) == b""
            except BlockingIOError:
                dead = False
            if dead or name is None:
                os.close(pipe)
                continue
            age = time.time() - os.fstat(pipe).st_ctime
            held.append(Held(int(name[1]), int(name[2]), age, pipe))
        return held


def _pipes(base: Path) -> Iterator[Path]:
    """The reservations of all runs; a run that ends meanwhile has none (and makes Path.glob raise)."""
    for folder in base.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            yield from [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]


def _until_one_ends(held: list[Held]) -> None:
    poll = select.poll()
    for one in held:
        # No event is asked for: poll reports a hang-up all the same.
        poll.register(one.pipe, 0)
    poll.poll(LOOK * 1000)


def _kilobytes(meminfo: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(found[1]) if found else 0
