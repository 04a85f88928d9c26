"""Changes to a kernel's command line on its way to QEMU: the line in the image stays as it is."""

from __future__ import annotations

import re

SERIAL0 = "serial0"
"""What gokrazy writes where SerialConsole is not set: a name that the firmware of a Raspberry Pi replaces."""
_ROOTDELAY = re.compile(r"(?:^|\s)rootdelay=\S+")


def with_serial0(line: str, port: str) -> str:
    """The line as a Raspberry Pi's firmware passes it on, where its first serial port is ``port``."""
    return re.sub(rf"(?<==){SERIAL0}\b", port, line)


def without_rootdelay(line: str) -> tuple[str, tuple[str, ...]]:
    """The line without the kernel's wait for slow disks, and a note if there was one."""
    shorter = _ROOTDELAY.sub("", line).strip()
    return shorter, () if shorter == line else ("rootdelay was dropped from the kernel's command line",)
