"""What one start of a QEMU process needs beyond what its machine is to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.firmware.stage import Loaded
from harness.machine.execution_log import ExecutionLog
from harness.machine.ports import Port
from harness.machine.spec import Threads


@dataclass(frozen=True)
class Ram:
    """A file for the guest's memory: with ``shared`` it is the memory, else only what the memory begins with."""

    path: Path
    shared: bool


@dataclass(frozen=True)
class Launch:
    """One start of one QEMU process; ``Machine`` fills in what only it knows: disks, descriptors, console."""

    loaded: Loaded = field(default_factory=Loaded)
    """What the firmware stage found on the disk."""
    threads: Threads = "multi"
    prefer: Mapping[Port, int] = field(default_factory=dict)
    """Port of the guest -> port of this host; QEMU chooses the others."""
    ram: Ram | None = None
    nic: bool = True
    """Whether the network card is plugged in from the beginning."""
    disks: tuple[Path, ...] = ()
    """The qcow2 overlays of its disks, that with the image first; the header of each names what lies under it."""
    incoming: bool = False
    """Whether the machine waits for a saved state instead of starting its firmware."""
    console: bool = True
    log: ExecutionLog | None = None
    """What is written of its execution, or leads it; None for a machine that is neither recorded nor replayed."""
    datagrams: int = 0
    """The first of two descriptors over which the harness forwards UDP itself (see ``Datagrams``), 0 for none."""
