"""Executions: what QEMU writes down of one, so that it can be had again, exactly.

QEMU counts instructions and logs all that comes from outside: clocks, random numbers, what network and console
bring, when the disk has done what was asked (docs/system/replay.rst of QEMU). With the same devices and the same
disk the log leads the processor the same way again, and nobody is at the other end.

An execution is that of one QEMU process, from power-on to its end. Where the harness plays the boot loader, each
reset begins the next one.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import OptionError
from harness.firmware.stage import Loaded
from harness.image.copying import copy_sparse
from harness.machine.disk_overlay import DiskOverlay

Mode = Literal["record", "replay"]
LOG, DISK, VARS = "log", "disk.qcow2", "vars.fd"
LOGGED = "logged"
"""What the guest's disk is called through which the log knows what was asked of it."""
HEAD = 4
"""Bytes at the beginning that stay zero until QEMU ends the log properly (replay.c, ``replay_finish``)."""
NOT_LOGGED = frozenset({"system_reset", "system_powerdown", "set_link", "device_add", "device_del", "migrate"})
"""Commands of QMP that change the machine without a word in the log."""


@dataclass(frozen=True)
class ExecutionLog:
    """The log of one execution: QEMU writes it, or is led by it."""

    path: Path
    mode: Mode
    begin: str = ""
    """The name of the place on the disk at which a replay begins (see ``keep_place``), "" for power-on."""


@dataclass(frozen=True)
class Execution:
    """One recorded execution: its log, and what it began with."""

    folder: Path
    number: int
    """Counted from 1 over the life of an appliance."""
    disk: DiskOverlay
    """A copy of its disk, as it was when it began; nobody writes to it."""
    append: str | None
    """The kernel's command line, where the harness loaded the kernel."""
    vars: Path | None
    """The firmware's variables as they were, where it has some."""

    @property
    def log(self) -> Path:
        """The file of its log."""
        return self.folder / LOG

    @property
    def is_whole(self) -> bool:
        """Whether it can be replayed: not if QEMU was killed while it wrote the log."""
        try:
            with self.log.open("rb") as file:
                return any(file.read(HEAD))
        except OSError:
            return False

    @property
    def files(self) -> dict[str, Path]:
        """Its files, by names that no other execution of the same appliance has."""
        files = {LOG: self.log, DISK: self.disk.path, **({VARS: self.vars} if self.vars else {})}
        return {member(self.number, name): path for name, path in files.items()}


def member(number: int, name: str) -> str:
    """How a file of the execution of this number is called away from its folder."""
    return f"execution-{number}-{name}"


class Recorder:
    """Records one appliance into ``folder``, one execution after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count(1)
        self.executions: list[Execution] = []
        self.began_at: list[int] = []
        """Where the console was when each began, in bytes; whoever reads the console keeps it."""

    def begin(self, overlay: DiskOverlay, loaded: Loaded) -> ExecutionLog:
        """Keep what the next execution begins with; raises HostDiskFull."""
        number = next(self._numbers)
        folder = self.folder / str(number)
        folder.mkdir(mode=0o700)
        disk = overlay.copied(folder)
        kept = copy_sparse(loaded.vars, folder / VARS) if loaded.vars is not None else None
        self.executions.append(Execution(folder, number, disk, loaded.append, kept))
        return ExecutionLog(folder / LOG, "record")

    def forget(self) -> None:
        """Delete all that was recorded."""
        self.executions.clear()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def beginning(recorder: Recorder | None, overlay: DiskOverlay, loaded: Loaded) -> Iterator[ExecutionLog | None]:
    """Keep what the next execution begins with, and forget it where QEMU does not start in this block.

    Without a recorder there is no log. Raises HostDiskFull.
    """
    log = recorder.begin(overlay, loaded) if recorder is not None else None
    try:
        yield log
    except BaseException:
        if recorder is not None:
            recorder.executions.pop()
        raise


def must_be_logged(command: str) -> None:
    """Raise OptionError for a command of QMP that a log does not contain: a replay would go another way."""
    if command in NOT_LOGGED:
        raise OptionError(
            f"an appliance that is recorded takes no {command}: QEMU's log of its execution does not contain that",
            hint="run this test without --gk-record",
        )


def arguments(log: ExecutionLog | None) -> list[str]:
    """The arguments of QEMU beyond those for devices."""
    if log is None:
        return []
    path = str(log.path).replace(",", ",,")
    place = f",rrsnapshot={log.begin}" if log.begin else ""
    return ["-icount", f"shift=auto,rr={log.mode},rrfile={path}{place}"]


def network_filter(log: ExecutionLog | None) -> list[str]:
    """The filter through which the network's frames come, the last one before the guest."""
    return ["-object", "filter-replay,id=logged,netdev=net0"] if log is not None else []
