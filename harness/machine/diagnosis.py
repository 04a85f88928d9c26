"""Diagnosis: what QEMU knows of a machine whose guest says nothing, without asking the guest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.machine.machine import Machine

PROCESSOR = re.compile(r"^CPU#(\d+)\r?$", re.MULTILINE)
"""What begins the part of one processor in ``info registers -a``."""
COUNTER = re.compile(r"\b[RE]?(?:IP|PC)=([0-9a-f]+)")
PROGRAM = re.compile(r"\bCPL=3\b|\bEL0\b|\bEL0t\b")
"""Whether it runs a program: x86's ring 3, Arm's exception level 0."""
HALTED = re.compile(r"\bHLT=1\b")
KERNEL = 1 << 47
"""The addresses of a 64-bit Linux are above it once it has its page tables; those of programs are below."""
CONNECTION = re.compile(r"^ *TCP\[(?P<state>\w+)\] +\S+ +\S+ +\S+ +\S+ +(?P<port>\d+) ", re.MULTILINE)
"""A line of ``info usernet``: state, descriptor, source and its port, destination and its port (libslirp)."""
UNANSWERED = "SYN_SENT"
LISTENING = "HOST_FORWARD"
LIMIT = 5.0
"""Seconds that QEMU has for each answer."""


def diagnose(machine: Machine) -> list[str]:
    """Lines about QEMU's own state, each processor, what was asked of each disk, and who waits for an answer.

    What QEMU does not say is said to be missing. A guest in QEMU's user network that leaves a connection
    unanswered neither takes nor refuses it: no such address is up, or its kernel stands.
    """
    lines: list[str] = []
    for look in (_state, _processors, _disks, _connections):
        try:
            lines += look(machine)
        except (HarnessError, KeyError, TypeError) as error:
            lines.append(f"{look.__name__.strip('_')}: QEMU does not say: {error}".splitlines()[0])
    return lines


def _state(machine: Machine) -> Iterator[str]:
    yield f"QEMU: {machine.execute('query-status', timeout=LIMIT)['status']}"


def _processors(machine: Machine) -> Iterator[str]:
    yield from processors(machine.hmp("info registers -a", timeout=LIMIT))


def processors(registers: str) -> list[str]:
    """Where each processor is, by what ``info registers -a`` prints."""
    _, *parts = PROCESSOR.split(registers)
    lines = []
    for number, part in zip(parts[::2], parts[1::2], strict=True):
        found = COUNTER.search(part)
        if found is None:
            continue
        counter = int(found[1], 16)
        high = "the kernel" if counter >= KERNEL else "firmware, or a kernel that has just begun"
        where = "a program" if PROGRAM.search(part) else high
        rest = ", waits for an interrupt" if HALTED.search(part) else ""
        lines.append(f"processor {number}: in {where} at {counter:#x}{rest}")
    return lines


def _disks(machine: Machine) -> Iterator[str]:
    for disk in machine.execute("query-blockstats", timeout=LIMIT):
        yield f"{disk.get('node-name') or disk.get('device') or 'disk'}: {used(disk['stats'])}"


def used(stats: dict[str, Any]) -> str:
    """What was asked of a disk since QEMU began, by one row of ``query-blockstats``."""
    read, written = stats["rd_bytes"], stats["wr_bytes"]
    idle = stats.get("idle_time_ns")
    failed = sum(stats.get(f"failed_{kind}_operations", 0) for kind in ("rd", "wr", "flush"))
    return (
        f"{read / 1024:.1f} KiB read, {written / 1024:.1f} KiB written"
        + (f", idle for {idle / 1e9:.0f} s" if idle is not None else "")
        + (f", {failed} operations failed" if failed else "")
    )


def _connections(machine: Machine) -> Iterator[str]:
    yield from connections(machine.hmp("info usernet", timeout=LIMIT))


def connections(usernet: str) -> list[str]:
    """How the connections to the guest's ports stand, by what ``info usernet`` prints."""
    rows = Counter(
        (found["port"], found["state"] == UNANSWERED)
        for found in CONNECTION.finditer(usernet)
        if found["state"] != LISTENING
    )
    return [
        f"network: {count}x to port {port} of the guest: {'it does not answer' if unanswered else 'open'}"
        for (port, unanswered), count in sorted(rows.items())
    ]
