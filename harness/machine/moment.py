"""Moment: what is kept of a machine that goes on, for somebody who restores it elsewhere.

Unlike a snapshot it has no place of its own: its files are packed, carried to another computer, and become the
snapshot of a machine there (``opened``).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, HostDiskFull, OptionError, QemuFailed
from harness.firmware.stage import Loaded, Stage
from harness.machine.disk_overlay import DiskOverlay, run_tool
from harness.machine.equipment import Equipment
from harness.machine.identity import machine_identity
from harness.machine.machine import Machine
from harness.machine.snapshot import STATE, Snapshot, SnapshotDisk, pause_at_rest, save
from harness.machine.spec import Spec

START = "start-"
"""Before the name of a disk: the same disk as the machine began with it."""
_MAGIC = b"QFI\xfb\0\0\0\3"
_FEATURES = slice(72, 80)
"""Where a qcow2 header has the features that a reader must know (QEMU's docs/interop/qcow2.rst)."""
_UNDERSTOOD = 0b1000
"""Of those, what an overlay of ours may have: the way it is compressed. No file beside it, no damage."""


@dataclass(frozen=True)
class State:
    """The devices and the memory of a machine, in the files of a folder."""

    identity: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)
    """The firmware's files: field of Loaded -> name in the folder."""
    append: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Moment:
    """The disks of one machine, that with the image first, and its state where QEMU could save it."""

    folder: Path
    disks: tuple[str, ...] = ()
    """The names of qcow2 files in the folder; empty where they could not be kept."""
    state: State | None = None
    start: tuple[str, ...] = ()
    """The same disks as the machine began with them; empty where that is not known."""
    why_no_state: str = ""
    """Why there is no state."""

    @property
    def files(self) -> dict[str, Path]:
        """All its files by name."""
        state = [STATE, *self.state.files.values()] if self.state is not None else []
        return {name: self.folder / name for name in (*self.disks, *self.start, *state)}


@dataclass(frozen=True)
class Disks:
    """The disks of one machine, each with the machine's further ones beside it."""

    now: DiskOverlay
    start: DiskOverlay | None
    """As the machine began with them; ``now`` for one that was never on, None where that is not known."""
    equipment: Equipment
    image: Path
    """What the first lies on in the end, without the layers between."""

    def kept(self, copy: DiskOverlay) -> tuple[str, ...]:
        """Put a copy of them on the image and on nothing else; returns their names."""
        copy.settle_on(self.image)
        # A further disk over a file of the user's says nothing without that file; they go together or not at all.
        further = copy.beside if all(one.file is None for one in self.equipment.disks) else ()
        for disk in further:
            disk.settle_on(None)
        return copy.path.name, *(disk.path.name for disk in further)

    def kept_start(self, folder: Path) -> tuple[str, ...]:
        """The same of the disks that the machine began with, under names of their own in ``folder``."""
        if self.start is None:
            return ()
        apart = folder / "start"
        apart.mkdir(mode=0o700)
        names = self.kept(self.start.copied(apart))
        for name in names:
            (apart / name).rename(folder / f"{START}{name}")
        shutil.rmtree(apart)
        return tuple(f"{START}{name}" for name in names)


def keep_moment(machine: Machine | None, disks: Disks, stage: Stage, folder: Path) -> Moment:
    """Copy what a machine is at this moment into ``folder``, and let it go on as it was.

    ``machine`` is None for one that is off. Raises HostDiskFull, QemuFailed.
    """
    state, why = None, "the machine was off"
    if machine is None:
        copy = disks.now.copied(folder)
    else:
        ran = bool(machine.execute("query-status")["running"])
        try:
            state, why = _state(machine, stage, folder)
            copy = disks.now.copied(folder)
        finally:
            if ran:
                machine.resume()
    names = disks.kept(copy)
    return Moment(folder, names, state, names if disks.start is disks.now else disks.kept_start(folder), why)


def _state(machine: Machine, stage: Stage, folder: Path) -> tuple[State | None, str]:
    """The state of a machine, or why there is none; it stands still then."""
    if why := why_no_state(machine.spec):
        machine.pause()
        return None, why
    try:
        pause_at_rest(machine)
        save(machine, folder / STATE, memory=True)
        loaded = stage.keep(machine.launch.loaded, folder)
    except HarnessError as error:
        # Its disks say much of it all the same.
        (folder / STATE).unlink(missing_ok=True)
        return None, error.what
    files = {name: path.name for name, path in loaded.files.items() if path.parent == folder}
    return State(machine_identity(machine.spec), files, loaded.append, loaded.notes), ""


def disk_at_start(disk: DiskOverlay, folder: Path) -> DiskOverlay | None:
    """Copy the disk of a machine that is about to be switched on; None where this host has no room for that.

    It has what the harness and the test wrote: a copy of some 200 KiB, or of what an update left there.
    """
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=0o700)
        return disk.copied(folder)
    except (HostDiskFull, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        return None


def why_no_state(spec: Spec) -> str:
    """Return why the state of such a machine is not kept, "" when it is."""
    if not spec.board.can_checkpoint:
        return f"QEMU cannot freeze the board {spec.board.name}"
    if spec.equipment.qemu_args:
        return "nobody knows whether QEMU saves what --gk-qemu-arg adds"
    if any(disk.file is not None for disk in spec.equipment.disks):
        return "a further disk is a file of its user's (--gk-disk)"
    return ""


def opened(moment: Moment, image: Path) -> Snapshot:
    """The snapshot of a moment that has a state, with its disk on this image; raises OptionError, QemuFailed.

    Its files may be from a stranger: a disk that reads other files than its own is refused.
    """
    if moment.state is None:
        raise QemuFailed("the state of this machine was not saved", where=str(moment.folder))
    state = moment.state
    files = {name: moment.folder / file for name, file in state.files.items()}
    loaded = Loaded(append=state.append, notes=state.notes, **files)
    return Snapshot(moment.folder, state.identity, loaded, opened_disks(moment.folder, moment.disks, image))


def opened_disks(folder: Path, names: Sequence[str], image: Path) -> tuple[SnapshotDisk, ...]:
    """These disks of a moment, the first on this image; raises as ``opened`` does."""
    disks = [_disk(folder / name, image if name == names[0] else None) for name in names]
    return tuple(map(SnapshotDisk.of, disks))


def _disk(path: Path, image: Path | None) -> DiskOverlay:
    with path.open("rb") as file:
        header = file.read(_FEATURES.stop)
    strange = int.from_bytes(header[_FEATURES], "big") & ~_UNDERSTOOD
    if not header.startswith(_MAGIC) or strange:
        raise OptionError("this is no disk of a machine that the harness ran", where=str(path))
    over = ["-b", str(image.resolve()), "-F", "raw"] if image is not None else ["-b", ""]
    # Whatever it names as the file below it, nobody has opened that yet.
    run_tool("qemu-img", ["rebase", "-u", "-q", "-f", "qcow2", *over, str(path)], where=path)
    return DiskOverlay(path, image, *DiskOverlay.layers(path, "qcow2"))
