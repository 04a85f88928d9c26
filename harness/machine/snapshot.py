"""Warm starts: a snapshot is taken of a machine once, and any number of machines are restored from it.

A snapshot is the whole state of one machine at one moment, in files: devices, memory, disks, firmware's files.
There are two kinds, by where the memory is.

- A machine that is started for a snapshot has a file for its memory (``Ram``, shared). QEMU saves only the devices
  (``x-ignore-shared``). Each restored machine maps that file privately: it reads what its guest touches, and what
  the machines do not change is once in this host's page cache.
- Any other machine is saved with ``mapped-ram``: QEMU writes all its memory, and each restored machine reads all
  of it. A machine restored from such a snapshot, with a file for its memory, makes the first kind of the second.

The disk of a snapshot is the overlay of that moment. It is never written again: each restored machine has an
overlay of its own over it.

What that gains, and what else was tried, is measured in docs/warm-starts.md.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import SAID_OF_A_FULL_DISK, HostDiskFull, InternalError, QemuFailed
from harness.firmware.stage import Loaded, Stage
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.identity import machine_identity
from harness.machine.inbox import LAST_WORDS
from harness.machine.launch import Ram
from harness.machine.machine import Machine
from harness.machine.qmp import Event

STATE = "state"
RAM = "ram"
BLANK = "blank-"
"""Before the name of a disk: the name of an overlay over it that nobody wrote to."""
IMAGE = "image.img"
SAVE_LIMIT = 120.0
LOAD_LIMIT = 60.0
REST_LIMIT = 30.0
BETWEEN_LOOKS = 0.05
"""Seconds that a machine runs before the next look whether an interrupt is pending."""
# QEMU holds back at 128 MiB/s otherwise, to be kind to networks.
UNLIMITED = {"max-bandwidth": 1 << 40}


@dataclass(frozen=True)
class SnapshotDisk:
    """A disk of a snapshot: a qcow2 that nobody writes to any more, and a blank overlay over it."""

    path: Path
    size: int
    """Bytes, as the guest sees it."""
    chain: tuple[Path, ...]
    """Its files: itself, the one under it, and so on down to the image."""

    @property
    def blank(self) -> Path:
        """The blank overlay: to copy it takes less time than a qemu-img that makes a new one."""
        return self.path.with_name(f"{BLANK}{self.path.name}")

    @classmethod
    def of(cls, disk: DiskOverlay) -> SnapshotDisk:
        """Make this overlay, which no machine uses any more, the disk of a snapshot; it stays where it is."""
        disk.path.chmod(0o400)
        made = cls(disk.path, disk.size, disk.chain)
        folder = disk.path.with_name("blank")
        folder.mkdir()
        DiskOverlay.create(disk.path, folder, base_format="qcow2").path.rename(made.blank)
        folder.rmdir()
        return made

    def overlay(self, folder: Path, *, beside: Sequence[DiskOverlay] = ()) -> DiskOverlay:
        """A new overlay over it, for one restored machine; raises HostDiskFull."""
        path = folder / self.path.name
        try:
            shutil.copyfile(self.blank, path)
            path.chmod(0o600)
        except OSError as error:
            raise HostDiskFull(f"cannot make a disk: {error.strerror}", where=str(path)) from error
        return DiskOverlay(path, self.path, self.size, (path, *self.chain), beside=beside)

    def as_overlay(self, *, beside: Sequence[DiskOverlay] = ()) -> DiskOverlay:
        """The disk itself, for whoever copies it; nobody may write to it."""
        return DiskOverlay(self.path, next(iter(self.chain[1:]), None), self.size, self.chain, beside=beside)

    def as_json(self) -> dict[str, Any]:
        """What ``from_json`` needs beside the folder."""
        return {"name": self.path.name, "size": self.size, "chain": [str(path) for path in self.chain]}

    @classmethod
    def from_json(cls, folder: Path, data: Mapping[str, Any]) -> SnapshotDisk:
        """The disk of a snapshot that another process may have taken."""
        return cls(folder / data["name"], data["size"], tuple(map(Path, data["chain"])))


@dataclass(frozen=True)
class Snapshot:
    """The state of one machine at one moment, in a folder: its devices, memory, disks and firmware's files."""

    folder: Path
    identity: Mapping[str, Any]
    """What a machine must have in common with it to be restored from it: see ``harness.machine.identity``."""
    loaded: Loaded
    disks: tuple[SnapshotDisk, ...]
    """That with the image comes first."""

    @property
    def state(self) -> Path:
        """The file with the devices, and with the memory unless that has a file of its own."""
        return self.folder / STATE

    @property
    def ram(self) -> Ram | None:
        """What the memory of a restored machine begins with, None where the state has the memory."""
        path = self.folder / RAM
        return Ram(path, shared=False) if path.exists() else None

    def overlay(self, folder: Path) -> DiskOverlay:
        """New overlays over its disks, for one restored machine; raises HostDiskFull."""
        first, *others = self.disks
        return first.overlay(folder, beside=[disk.overlay(folder) for disk in others])

    @property
    def own_disk(self) -> DiskOverlay:
        """Its disks themselves, for whoever copies them."""
        first, *others = self.disks
        return first.as_overlay(beside=[disk.as_overlay() for disk in others])

    def as_json(self) -> dict[str, Any]:
        """What ``from_json`` needs beside the folder."""
        return {
            "identity": dict(self.identity),
            "files": {name: str(path) for name, path in self.loaded.files.items()},
            "append": self.loaded.append,
            "notes": self.loaded.notes,
            "disks": [disk.as_json() for disk in self.disks],
        }

    @classmethod
    def from_json(cls, folder: Path, data: Mapping[str, Any]) -> Snapshot:
        """A snapshot that another process may have taken."""
        files = {name: Path(path) for name, path in data["files"].items()}
        loaded = Loaded(append=data["append"], notes=tuple(data["notes"]), **files)
        disks = tuple(SnapshotDisk.from_json(folder, disk) for disk in data["disks"])
        return cls(folder, data["identity"], loaded, disks)


def take(machine: Machine, stage: Stage, folder: Path, *, base: Path | None = None) -> Snapshot:
    """Take a snapshot of a running machine into ``folder`` and end the machine; raises HostDiskFull, QemuFailed.

    The machine's overlays move into the folder and become the disks of the snapshot. With ``base`` the first is
    put directly on that image, without the layers between. A machine whose memory is a file has it in ``folder``.
    """
    if not machine.board.can_snapshot:
        raise InternalError(f"no snapshot can be taken of the board {machine.board.name}")
    pause_at_rest(machine)
    ram = machine.launch.ram
    shared = ram is not None and ram.shared
    save(machine, folder / STATE, memory=not shared)
    machine.stop()
    loaded = stage.keep(machine.launch.loaded, folder)
    disk = machine.overlay.moved(folder)
    if base is not None:
        disk.settle_on(base)
    if shared:
        (folder / RAM).chmod(0o400)
    return Snapshot(
        folder, machine_identity(machine.spec), loaded, tuple(map(SnapshotDisk.of, (disk, *disk.beside)))
    )


def save(machine: Machine, state: Path, *, memory: bool) -> None:
    """Write the state of a paused machine into a new file; raises HostDiskFull, QemuFailed.

    ``memory`` says whether the memory goes in, else it is in a file of its own.
    """
    _allow(machine, "mapped-ram" if memory else "x-ignore-shared")
    machine.execute("migrate-set-parameters", UNLIMITED)
    # Made first, so that memory with the guest's secrets is never readable to others.
    os.close(os.open(state, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    _migrate(machine, "migrate", state, SAVE_LIMIT)
    _wait_until_it_can_go_on(machine)


def restore(machine: Machine, snapshot: Snapshot) -> None:
    """Start a machine in the state of a snapshot, paused; its disks must be overlays over the snapshot's.

    Raises InternalError where the two do not fit, and what ``Machine.start`` raises.
    """
    own = machine_identity(machine.spec)
    if own != snapshot.identity or snapshot.ram not in (None, machine.launch.ram):
        raise InternalError("the machine does not fit the snapshot", evidence=f"{own}\n{snapshot.identity}")
    machine.start_paused(incoming=True)
    try:
        machine.write_registers()
        _allow(machine, "x-ignore-shared" if snapshot.ram is not None else "mapped-ram")
        _migrate(machine, "migrate-incoming", snapshot.state, LOAD_LIMIT)
    except BaseException:
        machine.stop()
        raise


def pause_at_rest(machine: Machine) -> None:
    """Stop the processors; on a board whose state lacks pending interrupts, when none is pending."""
    machine.pause()
    pending = machine.board.workarounds.pending_interrupts
    if pending is None:
        return
    deadline = time.monotonic() + REST_LIMIT
    while re.search(r"0x0*[1-9a-f]", said := machine.hmp(f"xp /{pending.words}wx {pending.address:#x}")):
        if time.monotonic() > deadline:
            raise QemuFailed(
                f"no snapshot can be taken: in {REST_LIMIT:.0f} s an interrupt was pending at every look",
                where=machine.board.name,
                evidence=said,
            )
        machine.resume()
        machine.wait_exit(BETWEEN_LOOKS)
        machine.pause()


def _wait_until_it_can_go_on(machine: Machine) -> None:
    """Wait until QEMU would let a machine go on whose state is saved; raises QemuFailed.

    QEMU says that a migration is complete, and then leaves ``finish-migrate``, in which it refuses ``cont``
    (10.0: ``migration_completion_end`` and ``migration_iteration_finish``). No event tells of the second step.
    """
    deadline = time.monotonic() + SAVE_LIMIT
    while machine.execute("query-status")["status"] == "finish-migrate":
        if time.monotonic() > deadline:
            raise QemuFailed(
                f"QEMU did not end a migration within {SAVE_LIMIT:.0f} s of saying that it is complete",
                where=machine.board.name,
            )
        machine.wait_exit(BETWEEN_LOOKS)


def _allow(machine: Machine, capability: str) -> None:
    """Choose how the memory is saved or loaded, with this capability of QEMU's and no other.

    The others are switched off: a machine may have been restored in another way than it is saved.
    """
    states = {"events": True, "mapped-ram": False, "x-ignore-shared": False, capability: True}
    wanted = [{"capability": name, "state": state} for name, state in states.items()]
    machine.execute("migrate-set-capabilities", {"capabilities": wanted})


def _migrate(machine: Machine, command: str, state: Path, limit: float) -> None:
    since = len(machine.events)

    def over(event: Event) -> bool:
        return event.name == "MIGRATION" and event.data["status"] in ("completed", "failed", "cancelled")

    machine.execute(command, {"uri": f"file:{state}"})
    event = machine.wait_event(over, limit, since=since)
    if event is not None and event.data["status"] == "completed":
        return
    try:
        said = str(machine.execute("query-migrate").get("error-desc", ""))
    except QemuFailed:
        # QEMU does not outlive a state that it cannot load: it says why, and ends.
        machine.wait_exit(LAST_WORDS)
        said = machine.stderr()
    kind = HostDiskFull if re.search(SAID_OF_A_FULL_DISK, said) else QemuFailed
    raise kind(
        f"QEMU could not {command} the state of the machine within {limit:.0f} s"
        if event is None
        else f"QEMU could not {command} the state of the machine",
        where=str(state),
        evidence=said,
    )
