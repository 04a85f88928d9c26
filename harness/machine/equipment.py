"""What a machine is to be beyond its board: one record, made once from the options and handed down whole."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from harness.boards import Board
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.extra_disk import ExtraDisk
from harness.machine.ports import Port

Network = Literal["restricted", "open"]


@dataclass(frozen=True)
class Door:
    """A port that the guest reaches however restricted its network is; behind it is a program of this host."""

    address: str
    """In the guest's network, which this host needs not have: ``10.0.2.100:9911``."""
    command: tuple[str, ...]
    """What QEMU starts for each connection: it speaks by its standard input and output."""

    def __str__(self) -> str:
        return self.address


@dataclass(frozen=True)
class Equipment:
    """Memory, processors, disks, ports and network; as asked for, 0 for the board's own, until ``on`` a board."""

    forwards: tuple[Port, ...] = ()
    """Ports of the guest that can be reached from this host."""
    network: Network = "restricted"
    memory: int = 0
    """MiB."""
    cpus: int = 0
    disks: tuple[ExtraDisk, ...] = ()
    """Those beyond the first."""
    doors: tuple[Door, ...] = ()
    """What the guest reaches although it may reach nothing."""
    agent: bool = False
    """Whether a guest agent's channel can be plugged in."""
    qemu_args: tuple[str, ...] = ()
    """Arguments of the user's own for QEMU, as they are."""

    def on(self, board: Board) -> Equipment:
        """What a machine of this board gets; a board that ``is_fixed`` keeps its memory, processors and disk."""
        asked = Equipment() if board.fixed else self
        return replace(
            self,
            forwards=tuple(dict.fromkeys(self.forwards)),
            memory=asked.memory or board.memory,
            cpus=asked.cpus or board.cpus,
            disks=asked.disks,
        )

    def refused_by(self, board: Board) -> tuple[str, ...]:
        """What a machine of this board does not get, in words; empty when it gets all."""
        got = self.on(board)
        refused = []
        if self.memory not in (0, got.memory):
            refused.append(f"{self.memory} MiB of memory")
        if self.cpus not in (0, got.cpus):
            refused.append(f"{self.cpus} processors")
        if self.disks != got.disks:
            refused.append("a further disk")
        return tuple(refused)

    @property
    def by_qemu(self) -> tuple[Port, ...]:
        """Those of the ports that QEMU forwards; the others are the harness's to forward (see ``Datagrams``)."""
        restricted = self.network == "restricted"
        return tuple(port for port in dict.fromkeys(self.forwards) if port.protocol == "tcp" or not restricted)

    @property
    def by_harness(self) -> tuple[Port, ...]:
        """Those of the ports that QEMU cannot forward to a guest that may reach nothing."""
        return tuple(port for port in dict.fromkeys(self.forwards) if port not in self.by_qemu)

    def make_disks(self, folder: Path) -> list[DiskOverlay]:
        """The further disks of one machine, as they are at first; raises HostDiskFull, ImageLocked, QemuFailed."""
        return [disk.overlay(folder, f"disk{number}.qcow2") for number, disk in enumerate(self.disks, 2)]

    def summary_on(self, board: Board) -> str:
        """What this board's machines get and what they do not, for the report; "" when nothing was asked for."""
        got = replace(self, disks=(), memory=0, cpus=0) if board.fixed else self
        refused = self.refused_by(board)
        parts = [
            f"with {got.summary}" if got.summary else "",
            f"without {', '.join(refused)}, as it has {board.fixed}" if refused else "",
        ]
        return "; ".join(part for part in parts if part)

    @property
    def summary(self) -> str:
        """What differs from the board as documented, for the report; "" when nothing does."""
        parts = [
            f"{self.memory} MiB of memory" if self.memory else "",
            f"{self.cpus} processor{'s' * (self.cpus > 1)}" if self.cpus else "",
            *(f"further disk: {disk}" for disk in self.disks),
            f"arguments for QEMU: {shlex.join(self.qemu_args)}" if self.qemu_args else "",
        ]
        return "; ".join(part for part in parts if part)

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON, for the identity of a machine; the order of ports does not count."""
        return {
            "forwards": sorted(map(str, self.forwards)),
            "network": self.network,
            "memory": self.memory,
            "cpus": self.cpus,
            "disks": list(map(str, self.disks)),
            # Who is behind them ends with the test, and the guest cannot see it.
            "doors": sorted(map(str, self.doors)),
            "agent": self.agent,
            "qemu_args": list(self.qemu_args),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Equipment:
        """The equipment that ``as_json`` wrote; raises OptionError, KeyError, TypeError, ValueError."""
        return cls(
            forwards=tuple(map(Port.parse, data["forwards"])),
            network=data["network"],
            memory=int(data["memory"]),
            cpus=int(data["cpus"]),
            disks=tuple(map(ExtraDisk.of_str, data["disks"])),
            doors=tuple(Door(address, ()) for address in data.get("doors", ())),
            agent=bool(data.get("agent")),
            qemu_args=tuple(data["qemu_args"]),
        )
