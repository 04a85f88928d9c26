"""What QEMU's last words mean: whose fault it is, and what to do."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from harness.errors import (
    HarnessError,
    HostDiskFull,
    HostFault,
    HostMemoryShort,
    ImageLocked,
    PortTaken,
    QemuFailed,
)
from harness.machine.process import Exit

SIGNS: tuple[tuple[str, type[HostFault], str, str], ...] = (
    (
        r"cannot set up guest memory|Cannot allocate memory|cannot allocate .*memory",
        HostMemoryShort,
        "QEMU could not get the memory of the machine",
        "close other programs, run fewer machines at a time, or give the machine less memory",
    ),
    (
        r"No space left on device|Disk quota exceeded",
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
)
"""What QEMU prints -> the error, what happened, what to do."""


def classify(said: str) -> tuple[type[HostFault], str, str]:
    """The kind of host fault that a text of QEMU's or qemu-img's means: error type, what happened, hint."""
    for pattern, kind, what, hint in SIGNS:
        if re.search(pattern, said, re.IGNORECASE):
            return kind, what, hint
    return QemuFailed, "", ""


def launch_failure(name: str, argv: Sequence[str], exit_: Exit) -> HarnessError:
    """The error for a QEMU that did not come as far as greeting over QMP."""
    kind, what, hint = classify(exit_.stderr)
    what = f"{what}: QEMU did not start" if what else "QEMU did not start"
    return kind(
        f"{what} ({exit_})", where=name, hint=hint, evidence=f"{exit_.stderr or '(no output)'}\n{shlex.join(argv)}"
    )


def death(name: str, exit_: Exit) -> HarnessError:
    """The error for a QEMU that ended by itself while the machine ran."""
    kind, what, hint = classify(exit_.stderr)
    what = f"{what}: QEMU ended by itself" if what else "QEMU ended by itself"
    return kind(f"{what} ({exit_})", where=name, hint=hint, evidence=exit_.stderr or "(no output)")
