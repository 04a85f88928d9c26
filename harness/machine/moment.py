"""Moment: what is kept of a machine that goes on, for somebody who restores it elsewhere.

Unlike a snapshot it has no place of its own: its files are packed, carried to another computer, and become the
snapshot of a machine there (``opened``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import OptionError, QemuFailed
from harness.firmware.stage import Loaded, Stage
from harness.machine.disk_overlay import DiskOverlay, run_tool
from harness.machine.identity import machine_identity
from harness.machine.machine import Machine
from harness.machine.snapshot import STATE, Snapshot, SnapshotDisk, pause_at_rest, save
from harness.machine.spec import Spec

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
    disks: tuple[str, ...]
    """The names of qcow2 files in the folder."""
    state: State | None = None

    @property
    def files(self) -> dict[str, Path]:
        """All its files by name."""
        names = [*self.disks, *([STATE, *self.state.files.values()] if self.state is not None else [])]
        return {name: self.folder / name for name in names}


def keep_moment(machine: Machine | None, disk: DiskOverlay, stage: Stage, folder: Path, *, base: Path) -> Moment:
    """Copy what a machine is at this moment into ``folder``, and let it go on as it was.

    The disk is put directly on the image ``base``. ``machine`` is None for one that is off. Raises HostDiskFull,
    QemuFailed.
    """
    state = None
    if machine is None:
        copy = disk.copied(folder)
    else:
        ran = bool(machine.execute("query-status")["running"])
        try:
            if not why_no_state(machine.spec):
                pause_at_rest(machine)
                save(machine, folder / STATE, memory=True)
                loaded = stage.keep(machine.launch.loaded, folder)
                files = {name: path.name for name, path in loaded.files.items() if path.parent == folder}
                state = State(machine_identity(machine.spec), files, loaded.append, loaded.notes)
            else:
                machine.pause()
            copy = disk.copied(folder)
        finally:
            if ran:
                machine.resume()
    copy.settle_on(base)
    # A further disk over a file of the user's says nothing without that file.
    names = [copy.path.name, *(one.path.name for one in copy.beside if one.base is None)]
    return Moment(folder, tuple(names), state)


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
    disks = [_disk(moment.folder / name, image if name == moment.disks[0] else None) for name in moment.disks]
    return Snapshot(moment.folder, state.identity, loaded, tuple(map(SnapshotDisk.of, disks)))


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
