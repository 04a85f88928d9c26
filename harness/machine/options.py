"""The options of a run that are about its machines, beyond their boards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.machine.ports import Port
from harness.option import Option, names, path_if_there, whole, words

if TYPE_CHECKING:
    from harness.machine.extra_disk import ExtraDisk

RUNS = ("check", "boot", "run", "bump", "hardware", "measure")
"""Those commands of gokharness that start machines of an instance or image."""
LEAST_MEMORY = 128
"""MiB: gokrazy's arm64 kernel does not come up with less."""
MOST_CPUS = 64


# What is not on the way of ``pytest --help`` is imported where it is needed.


def _ports(value: object) -> tuple[Port, ...]:
    return tuple(map(Port.parse, names(value)))


def _disks(value: object) -> tuple[ExtraDisk, ...]:
    from harness.machine.extra_disk import ExtraDisk

    return tuple(map(ExtraDisk.parse, words(value)))


@dataclass(frozen=True, kw_only=True)
class MachineOptions:
    """What each machine gets; 0 and empty where the board decides."""

    forward: tuple[Port, ...] = Option(
        "forward",
        "ports of the appliance to reach from this host, separated by commas: 8080,53/udp",
        kind="list",
        metavar="PORT[,PORT]",
        reader=_ports,
        commands=RUNS,
    ).default(())
    memory: int = Option(
        "memory",
        "memory of the machine in MiB, on boards that let it be chosen",
        metavar="MIB",
        reader=whole("MiB", LEAST_MEMORY, 1 << 20),
        commands=RUNS,
    ).default(0)
    """0: what the board has."""
    cpus: int = Option(
        "cpus",
        "processors of the machine, on boards that let them be chosen",
        metavar="N",
        reader=whole("processors", 1, MOST_CPUS),
        commands=RUNS,
    ).default(0)
    disk: tuple[ExtraDisk, ...] = Option(
        "disk",
        "a further disk: a raw or qcow2 file, never written to, or the size of an empty disk; may be repeated",
        kind="list",
        metavar="FILE|SIZE",
        reader=_disks,
        place=path_if_there,
        commands=RUNS,
    ).default(())
    qemu_arg: tuple[str, ...] = Option(
        "qemu-arg",
        "one more argument for QEMU; may be repeated; the machine is then no longer the board as documented",
        kind="list",
        metavar="ARG",
        reader=words,
        commands=RUNS,
    ).default(())
