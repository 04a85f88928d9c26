"""Warm starts: a machine that ran is frozen once, and any number of machines go on from there.

A machine that is started in order to be captured has a file for its memory (``Ram``, shared). QEMU then saves only
the devices (``x-ignore-shared``), and each copy begins with a private mapping of that file: nothing is read before
the guest wants it, and the copies share in this host's page cache what they do not change. A machine that was not
started so is saved with ``mapped-ram``: all its memory is written, and read by a copy; such a copy with a file for
its memory turns one kind into the other. Either way the overlay at that moment becomes the frozen base of each
copy's own overlay.

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

from harness.errors import HostDiskFull, InternalError, QemuFailed
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
"""How the name of an overlay begins that nobody wrote to."""
IMAGE = "image.img"
SAVE_LIMIT = 120.0
LOAD_LIMIT = 60.0
REST_LIMIT = 30.0
BETWEEN_LOOKS = 0.05
"""Seconds that a machine runs on before it is looked at again whether an interrupt waits."""
# QEMU holds back at 128 MiB/s otherwise, to be kind to networks.
UNLIMITED = {"max-bandwidth": 1 << 40}


@dataclass(frozen=True)
class SnapshotDisk:
    """A disk at the moment of the capture: a qcow2 that nobody writes to any more, and a blank overlay over it."""

    path: Path
    size: int
    """Bytes as the guest sees it."""
    chain: tuple[Path, ...]
    """The files that it is made of, down to the image."""

    @property
    def blank(self) -> Path:
        """Copying it costs less than having qemu-img make an overlay."""
        return self.path.with_name(f"{BLANK}{self.path.name}")

    @classmethod
    def of(cls, disk: DiskOverlay) -> SnapshotDisk:
        """Freeze a disk where it lies."""
        disk.path.chmod(0o400)
        frozen = cls(disk.path, disk.size, disk.chain)
        folder = disk.path.with_name("blank")
        folder.mkdir()
        DiskOverlay.create(disk.path, folder, base_format="qcow2").path.rename(frozen.blank)
        folder.rmdir()
        return frozen

    def overlay(self, folder: Path, *, beside: Sequence[DiskOverlay] = ()) -> DiskOverlay:
        """A new overlay over it, for one copy; raises HostDiskFull."""
        path = folder / self.path.name
        try:
            shutil.copyfile(self.blank, path)
            path.chmod(0o600)
        except OSError as error:
            raise HostDiskFull(f"cannot make a disk: {error.strerror}", where=str(path)) from error
        return DiskOverlay(path, self.path, self.size, (path, *self.chain), beside=beside)

    def as_json(self) -> dict[str, Any]:
        """What ``from_json`` needs beside the folder."""
        return {"name": self.path.name, "size": self.size, "chain": [str(path) for path in self.chain]}

    @classmethod
    def from_json(cls, folder: Path, told: Mapping[str, Any]) -> SnapshotDisk:
        """A disk that another process may have frozen."""
        return cls(folder / told["name"], told["size"], tuple(map(Path, told["chain"])))


@dataclass(frozen=True)
class Snapshot:
    """A frozen machine in a folder: its state, its memory, its disks, its firmware's files."""

    folder: Path
    identity: Mapping[str, Any]
    """What must be the same in a machine for it to go on from here: see ``harness.machine.identity``."""
    loaded: Loaded
    disks: tuple[SnapshotDisk, ...]
    """The first is that with the image."""

    @property
    def state(self) -> Path:
        """The devices, and the memory unless that has a file of its own."""
        return self.folder / STATE

    @property
    def ram(self) -> Ram | None:
        """What the memory of a copy begins with, if that is not in the state."""
        path = self.folder / RAM
        return Ram(path, shared=False) if path.exists() else None

    def overlay(self, folder: Path) -> DiskOverlay:
        """New overlays over the frozen disks, for one copy; raises HostDiskFull."""
        first, *others = self.disks
        return first.overlay(folder, beside=[disk.overlay(folder) for disk in others])

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
    def from_json(cls, folder: Path, told: Mapping[str, Any]) -> Snapshot:
        """A capture that another process may have made."""
        files = {name: Path(path) for name, path in told["files"].items()}
        loaded = Loaded(append=told["append"], notes=tuple(told["notes"]), **files)
        disks = tuple(SnapshotDisk.from_json(folder, disk) for disk in told["disks"])
        return cls(folder, told["identity"], loaded, disks)


def take(machine: Machine, stage: Stage, folder: Path, *, base: Path | None = None) -> Snapshot:
    """Freeze a running machine into ``folder`` and end it; raises HostDiskFull, QemuFailed.

    The machine's overlays move into the capture: they are the disks of the copies now. With ``base`` the first
    lies directly on that image, whatever was between; a machine whose memory is a file has it in ``folder``.
    """
    if not machine.board.can_snapshot:
        raise InternalError(f"the board {machine.board.name} cannot be captured")
    pause_at_rest(machine)
    ram = machine.launch.ram
    shared = ram is not None and ram.shared
    _allow(machine, "x-ignore-shared" if shared else "mapped-ram")
    machine.execute("migrate-set-parameters", UNLIMITED)
    state = folder / STATE
    # Made first, so that memory with the guest's secrets is never readable to others.
    os.close(os.open(state, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    _migrate(machine, "migrate", state, SAVE_LIMIT)
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


def restore(machine: Machine, capture: Snapshot) -> None:
    """Start a machine that was made for it from a capture; it stands still where the captured one stood."""
    own = machine_identity(machine.spec)
    if own != capture.identity or capture.ram not in (None, machine.launch.ram):
        raise InternalError("a machine does not fit the capture", evidence=f"{own}\n{capture.identity}")
    machine.start_paused(incoming=True)
    try:
        machine.write_registers()
        _allow(machine, "x-ignore-shared" if capture.ram is not None else "mapped-ram")
        _migrate(machine, "migrate-incoming", capture.state, LOAD_LIMIT)
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
                f"the machine cannot be captured: in {REST_LIMIT:.0f} s an interrupt waited at every look",
                where=machine.board.name,
                evidence=said,
            )
        machine.resume()
        machine.wait_exit(BETWEEN_LOOKS)
        machine.pause()


def _allow(machine: Machine, capability: str) -> None:
    """Choose how the memory is saved or loaded, with this capability of QEMU's and no other.

    The others are switched off, as a copy may have been loaded in another way than it is saved.
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
    kind = HostDiskFull if "No space left" in said or "space" in said.lower() else QemuFailed
    raise kind(
        f"QEMU could not {command} the state of the machine within {limit:.0f} s"
        if event is None
        else f"QEMU could not {command} the state of the machine",
        where=str(state),
        evidence=said,
    )
