"""What QEMU's last words mean: whose fault it is, and what to do."""

from __future__ import annotations

import contextlib
import re
import shlex
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import (
    SAID_OF_A_FULL_DISK,
    AcceleratorFailed,
    HarnessError,
    HostDiskFull,
    HostFault,
    HostMemoryShort,
    ImageLocked,
    OptionError,
    PortTaken,
    QemuCrashed,
    QemuFailed,
)
from harness.lifetime.process import Exit

SIGNS: tuple[tuple[str, type[HostFault], str, str], ...] = (
    (
        r"cannot set up guest memory|Cannot allocate memory|cannot allocate .*memory"
        r"|GLib.*failed to allocate",
        HostMemoryShort,
        "QEMU could not get the memory of the machine",
        "close other programs, run fewer machines at a time, or give the machine less memory",
    ),
    (
        SAID_OF_A_FULL_DISK,
        HostDiskFull,
        "no room on this machine for the disk of the appliance",
        "free space, or set TMPDIR to a folder on a larger file system",
    ),
    (
        r"Failed to (?:get|lock) .*(?:lock|byte)|Is another process using the image",
        ImageLocked,
        "another process uses the disk image",
        "end the other process (another QEMU?), or use a copy of the image",
    ),
    (
        r"Could not set up host forwarding rule",
        PortTaken,
        "a port of this machine that was asked for is in use",
        "end the program that uses it, or let QEMU choose",
    ),
    (
        r"terminating on signal \d+ from pid",
        QemuFailed,
        "another process of this machine ended QEMU",
        "see below which one it was",
    ),
    (
        # QEMU's issue 3040: a processor's map of memory is replaced while it runs, and what it reads or writes of
        # one device goes to another, or to none.
        r"(?:iotlb_to_section|msix_table_mmio_(?:read|write)): Assertion",
        QemuCrashed,
        "a known defect of QEMU, without KVM on a busy host",
        "run it again; a QEMU later than 10.0 may be without it, and so is KVM",
    ),
)
"""What QEMU prints -> the error, what happened, what to do."""


def classify(said: str) -> tuple[type[HostFault], str, str]:
    """The kind of host fault that a text of QEMU's or qemu-img's means: error type, what happened, hint."""
    for pattern, kind, what, hint in SIGNS:
        if re.search(pattern, said, re.IGNORECASE):
            return kind, what, hint
    return QemuFailed, "", ""


def launch_failure(
    name: str, argv: Sequence[str], exit_: Exit, *, accelerator: str = "tcg", own: Sequence[str] = ()
) -> HarnessError:
    """The error for a QEMU that did not come as far as greeting over QMP; ``own`` are the user's arguments."""
    kind, what, hint = _meaning(exit_, accelerator, out_of_memory=False)
    if own and kind is QemuFailed and exit_.signal is None:
        # What this host is to blame for has a meaning above, and without these arguments QEMU starts.
        return OptionError(
            f"QEMU does not start with {shlex.join(own)} (--gk-qemu-arg)",
            where=name,
            hint="mend what it complains of, or leave the arguments out",
            evidence=exit_.stderr or "(no output)",
        )
    what = f"{what}: QEMU did not start" if what else "QEMU did not start"
    return kind(
        f"{what} ({exit_})", where=name, hint=hint, evidence=f"{exit_.stderr or '(no output)'}\n{shlex.join(argv)}"
    )


def death(name: str, exit_: Exit, *, accelerator: str = "tcg", out_of_memory: bool = False) -> HarnessError:
    """The error for a QEMU that ended by itself; ``out_of_memory``: the kernel killed something meanwhile."""
    kind, what, hint = _meaning(exit_, accelerator, out_of_memory)
    what = f"{what}: QEMU ended by itself" if what else "QEMU ended by itself"
    who = "find out who sent the signal (the journal has kills for memory)" if exit_.signal else "see below"
    hint = hint or f"{who}, and run the test again: it says nothing about the appliance"
    return kind(f"{what} ({exit_})", where=name, hint=hint, evidence=exit_.stderr or "(no output)")


def accelerator_failure(name: str, accelerator: str, seen: str) -> AcceleratorFailed:
    """The error for an accelerator that gave up under a machine."""
    return AcceleratorFailed(
        f"QEMU's accelerator {accelerator} gave up", where=name, hint="use the accelerator tcg", evidence=seen
    )


def disk_failure(path: str, data: Mapping[str, object]) -> HostFault:
    """The error for a disk that this host would not read or write; ``data`` is that of QMP's BLOCK_IO_ERROR."""
    if data.get("nospace"):
        return HostDiskFull(
            "no room on this machine for the disk of the appliance: it was paused",
            where=path,
            hint="free space, or set TMPDIR to a folder on a larger file system",
        )
    return QemuFailed(
        "this machine could not read or write the disk of the appliance",
        where=path,
        evidence=str(data.get("reason", "")),
    )


def out_of_memory_kills(vmstat: Path = Path("/proc/vmstat")) -> int:
    """How many processes the kernel of this host has killed for want of memory since it booted."""
    with contextlib.suppress(OSError, ValueError):
        for line in vmstat.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0


def _meaning(exit_: Exit, accelerator: str, out_of_memory: bool) -> tuple[type[HostFault], str, str]:
    kind, what, hint = classify(exit_.stderr)
    if what:
        return kind, what, hint
    if accelerator == "kvm" and "kvm" in exit_.stderr.lower():
        return AcceleratorFailed, "QEMU's accelerator kvm gave up", "use the accelerator tcg"
    if exit_.signal == signal.SIGKILL and out_of_memory:
        return (
            HostMemoryShort,
            "the kernel of this host killed processes for want of memory",
            "close other programs, run fewer machines at a time, or give the machine less memory",
        )
    return (QemuCrashed if exit_.signal else QemuFailed), "", ""
