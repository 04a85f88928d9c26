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
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import HostDiskFull, InternalError, QemuFailed
from harness.firmware.stage import Loaded, Stage
from harness.machine.command import Ram
from harness.machine.inbox import LAST_WORDS
from harness.machine.machine import Machine
from harness.machine.overlay import NAME as DISK
from harness.machine.overlay import Overlay
from harness.machine.qmp import Event

STATE = "state"
RAM = "ram"
BLANK = "blank.qcow2"
"""An overlay over the frozen disk that nobody wrote to: copying it costs less than having qemu-img make one."""
IMAGE = "image.img"
SAVE_LIMIT = 120.0
LOAD_LIMIT = 60.0
REST_LIMIT = 30.0
BETWEEN_LOOKS = 0.05
"""Seconds that a machine runs on before it is looked at again whether an interrupt waits."""
# QEMU holds back at 128 MiB/s otherwise, to be kind to networks.
UNLIMITED = {"max-bandwidth": 1 << 40}


@dataclass(frozen=True)
class Fit:
    """What must be the same in a machine for it to go on from a capture."""

    board: str
    machine: str
    devices: tuple[str, ...]
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
        board = machine.board
        return cls(
            board=board.name,
            machine=board.machine,
            devices=(board.disk, board.nic, *board.devices),
            qemu_digest=machine.qemu.digest,
            accelerator=machine.accelerator.name,
            cpu=board.cpu,
            memory=machine.memory,
            cpus=machine.cpus,
            network=machine.network,
            guest_ports=tuple(sorted(machine.forwards.values())),
        )


@dataclass(frozen=True)
class Capture:
    """A frozen machine in a folder: its state, its memory, its disk, its firmware's files."""

    folder: Path
    fit: Fit
    loaded: Loaded
    size: int
    """Bytes of the disk as the guest sees it."""
    chain: tuple[Path, ...]
    """The files that the frozen disk is made of, down to the image."""

    @property
    def state(self) -> Path:
        """The devices, and the memory unless that has a file of its own."""
        return self.folder / STATE

    @property
    def ram(self) -> Ram | None:
        """What the memory of a copy begins with, if that is not in the state."""
        path = self.folder / RAM
        return Ram(path, shared=False) if path.exists() else None

    @property
    def disk(self) -> Path:
        """The disk at that moment: a qcow2 that nobody writes to any more."""
        return self.folder / DISK

    def overlay(self, folder: Path) -> Overlay:
        """A new overlay over the frozen disk, for one copy; raises HostDiskFull."""
        path = folder / DISK
        try:
            shutil.copyfile(self.folder / BLANK, path)
            path.chmod(0o600)
        except OSError as error:
            raise HostDiskFull(f"cannot make a disk: {error.strerror}", where=str(path)) from error
        return Overlay(path, self.disk, self.size, (path, *self.chain))

    def as_json(self) -> dict[str, Any]:
        """What ``from_json`` needs beside the folder."""
        return {
            "fit": asdict(self.fit),
            "files": {name: str(path) for name, path in self.loaded.files.items()},
            "append": self.loaded.append,
            "notes": self.loaded.notes,
            "size": self.size,
            "chain": [str(path) for path in self.chain],
        }

    @classmethod
    def from_json(cls, folder: Path, told: Mapping[str, Any]) -> Capture:
        """A capture that another process may have made."""
        files = {name: Path(path) for name, path in told["files"].items()}
        loaded = Loaded(append=told["append"], notes=tuple(told["notes"]), **files)
        fit: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in told["fit"].items()
        }
        return cls(folder, Fit(**fit), loaded, told["size"], tuple(map(Path, told["chain"])))


def save(machine: Machine, stage: Stage, folder: Path, *, base: Path | None = None) -> Capture:
    """Freeze a running machine into ``folder`` and end it; raises HostDiskFull, QemuFailed.

    The machine's overlay moves into the capture: it is the disk of the copies now. With ``base`` it lies directly
    on that image, whatever was between; a machine whose memory is a file has it in ``folder``.
    """
    if not machine.board.can_capture:
        raise InternalError(f"the board {machine.board.name} cannot be captured")
    fit = Fit.of(machine)
    pause_at_rest(machine)
    shared = machine.ram is not None and machine.ram.shared
    _allow(machine, "x-ignore-shared" if shared else "mapped-ram")
    machine.execute("migrate-set-parameters", UNLIMITED)
    state = folder / STATE
    # Made first, so that memory with the guest's secrets is never readable to others.
    os.close(os.open(state, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    _migrate(machine, "migrate", state, SAVE_LIMIT)
    machine.stop()
    loaded = stage.keep(machine.loaded, folder)
    disk = machine.overlay.moved(folder)
    if base is not None:
        disk.settle_on(base)
    disk.path.chmod(0o400)
    if shared:
        (folder / RAM).chmod(0o400)
    blank = folder / "blank"
    blank.mkdir()
    Overlay.create(disk.path, blank, base_format="qcow2").path.rename(folder / BLANK)
    blank.rmdir()
    return Capture(folder, fit, loaded, disk.size, disk.chain)


def load(machine: Machine, capture: Capture) -> None:
    """Start a machine that was made for it from a capture; it stands still where the captured one stood."""
    fit = Fit.of(machine)
    if fit != capture.fit or capture.ram not in (None, machine.ram):
        raise InternalError("a machine does not fit the capture", evidence=f"{fit}\n{capture.fit}")
    machine.start_paused(incoming=True)
    try:
        machine.write_registers()
        _allow(machine, "x-ignore-shared" if capture.ram is not None else "mapped-ram")
        _migrate(machine, "migrate-incoming", capture.state, LOAD_LIMIT)
    except BaseException:
        machine.stop()
        raise


def pause_at_rest(machine: Machine) -> None:
    """Stop the processors; on a board where waiting interrupts get lost in a state, when none waits."""
    machine.pause()
    if machine.board.interrupts is None:
        return
    address, words = machine.board.interrupts
    deadline = time.monotonic() + REST_LIMIT
    while re.search(r"0x0*[1-9a-f]", said := machine.hmp(f"xp /{words}wx {address:#x}")):
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
    """Choose how the memory travels; a copy that is captured may have come here in another way than it goes."""
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
