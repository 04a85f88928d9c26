"""Warm starts: a machine that ran is frozen once, and any number of machines go on from there.

The state goes to a file with QEMU's ``mapped-ram`` (each page of memory has a fixed place in the file, so reading
it back is fast), and the overlay at that moment becomes the frozen base of each copy's own overlay.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HostDiskFull, InternalError, QemuFailed
from harness.firmware.stage import Loaded, Stage
from harness.machine.machine import Machine
from harness.machine.overlay import NAME as DISK
from harness.machine.overlay import Overlay
from harness.machine.qmp import Event

STATE = "state"
SAVE_LIMIT = 120.0
LOAD_LIMIT = 60.0
CAPABILITIES = {"capabilities": [{"capability": name, "state": True} for name in ("mapped-ram", "events")]}
# QEMU holds back at 128 MiB/s otherwise, to be kind to networks.
UNLIMITED = {"max-bandwidth": 1 << 40}


@dataclass(frozen=True)
class Fit:
    """What must be the same in a machine for it to go on from a capture."""

    board: str
    machine: str
    qemu_digest: str
    accelerator: str
    cpu: str
    memory: int
    cpus: int
    network: str
    guest_ports: tuple[int, ...]

    @classmethod
    def of(cls, machine: Machine) -> Fit:
        """The fit of a machine."""
        return cls(
            board=machine.board.name,
            machine=machine.board.machine,
            qemu_digest=machine.qemu.digest,
            accelerator=machine.accelerator.name,
            cpu=machine.board.cpu,
            memory=machine.memory,
            cpus=machine.cpus,
            network=machine.network,
            guest_ports=tuple(sorted(machine.forwards.values())),
        )


@dataclass(frozen=True)
class Capture:
    """A frozen machine in a folder: its state, its disk, its firmware's files."""

    folder: Path
    fit: Fit
    loaded: Loaded

    @property
    def state(self) -> Path:
        """Memory and devices."""
        return self.folder / STATE

    @property
    def disk(self) -> Path:
        """The disk at that moment: a qcow2 that nobody writes to any more."""
        return self.folder / DISK

    def overlay(self, folder: Path) -> Overlay:
        """A new overlay over the frozen disk, for one copy."""
        return Overlay.create(self.disk, folder, base_format="qcow2")

    def allocated(self) -> int:
        """Bytes it occupies on this machine."""
        return sum(path.stat().st_blocks * 512 for path in self.folder.iterdir())


def save(machine: Machine, stage: Stage, folder: Path) -> Capture:
    """Freeze a running machine into ``folder`` and end it; raises HostDiskFull, QemuFailed.

    The machine's overlay moves into the capture: it is the disk of the copies now.
    """
    if not machine.board.can_capture:
        raise InternalError(f"the board {machine.board.name} cannot be captured")
    fit = Fit.of(machine)
    machine.pause()
    machine.execute("migrate-set-capabilities", CAPABILITIES)
    machine.execute("migrate-set-parameters", UNLIMITED)
    state = folder / STATE
    # Made first, so that memory with the guest's secrets is never readable to others.
    os.close(os.open(state, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    _migrate(machine, "migrate", state, SAVE_LIMIT)
    machine.stop()
    loaded = stage.keep(machine.loaded, folder)
    try:
        shutil.move(machine.overlay.path, folder / DISK)
        (folder / DISK).chmod(0o400)
    except OSError as error:
        raise HostDiskFull(f"cannot keep the disk of a capture: {error.strerror}", where=str(folder)) from error
    return Capture(folder, fit, loaded)


def load(machine: Machine, capture: Capture) -> None:
    """Start a machine that was made for it from a capture; it stands still where the captured one stood."""
    fit = Fit.of(machine)
    if fit != capture.fit:
        raise InternalError("a machine does not fit the capture", evidence=f"{fit}\n{capture.fit}")
    machine.start_paused(incoming=True)
    try:
        machine.execute("migrate-set-capabilities", CAPABILITIES)
        _migrate(machine, "migrate-incoming", capture.state, LOAD_LIMIT)
    except BaseException:
        machine.stop()
        raise


def _migrate(machine: Machine, command: str, state: Path, limit: float) -> None:
    since = len(machine.events)

    def over(event: Event) -> bool:
        return event.name == "MIGRATION" and event.data["status"] in ("completed", "failed", "cancelled")

    machine.execute(command, {"uri": f"file:{state}"})
    event = machine.wait_event(over, limit, since=since)
    if event is not None and event.data["status"] == "completed":
        return
    said = machine.stderr()
    if machine.ended is None:
        said = str(machine.execute("query-migrate").get("error-desc", said))
    kind = HostDiskFull if "No space left" in said or "space" in said.lower() else QemuFailed
    raise kind(
        f"QEMU could not {command} the state of the machine within {limit:.0f} s"
        if event is None
        else f"QEMU could not {command} the state of the machine",
        where=str(state),
        evidence=said,
    )
