"""The slots of gokrazy, two root file systems of which one runs, and the one that a kernel command line names."""

from __future__ import annotations

import re
from typing import Literal

Slot = Literal["A", "B"]

_ROOT_OFFSET = re.compile(r"\broot=PARTUUID=[0-9A-Fa-f-]+/PARTNROFF=([12])(?!\d)")
_ROOT_NUMBER = re.compile(
    r"\broot=(?:PARTUUID=[0-9A-Fa-f]{8}-0|/dev/(?:mmcblk\dp|nvme\dn\dp|loop\dp|[sv]d[a-z]))([23])(?!\d)"
)


def slot_of(cmdline: str) -> Slot | None:
    """Return the slot that a kernel command line names (its last ``root=`` counts), None if it names none."""
    last: tuple[int, Slot] | None = None
    for pattern, slots in ((_ROOT_OFFSET, {"1": "A", "2": "B"}), (_ROOT_NUMBER, {"2": "A", "3": "B"})):
        for match in pattern.finditer(cmdline):
            if last is None or match.start() > last[0]:
                last = match.start(), ("A" if slots[match[1]] == "A" else "B")
    return last[1] if last else None
