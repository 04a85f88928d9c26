"""The words by which a program says that it could not reach others: no fault of its own where nobody is there."""

from __future__ import annotations

import re

NETWORK = "network"
"""What such a program misses, as one may call it beside the names of hardware."""

_NOT_YET = re.compile(
    r"network is unreachable|lookup \S+ on (?:\[::1\]|127\.0\.0\.1):53: .*connection refused", re.IGNORECASE
)
"""Before the device has its address, and a resolv.conf with it: gokrazy starts all programs at once."""
_NOBODY = re.compile(
    r"\blookup \S+.*(?:i/o timeout|no such host|server misbehaving)"
    r"|failure in name resolution|could ?n[o']t resolve host"
    r"|\b(?:dial|connect)\b.*(?:i/o timeout|connection refused|connection timed out|no route to host)"
    r"|\b(?:Get|Post|Head|Put) \"https?://.*(?:i/o timeout|deadline exceeded|TLS handshake timeout)",
    re.IGNORECASE,
)
"""Where QEMU's network lets nobody be reached: names are not found, and connections refused or never answered."""
_NO_OFFER = re.compile(r"\bread packet [0-9a-f]{2}(?::[0-9a-f]{2}){5}: i/o timeout")
"""gokrazy's DHCP client when no answer came in time: it ends, and init starts it anew (cmd/dhcp, rtr7/dhcp4)."""
_NOT_UP = re.compile(r"\b(?:dial|connect)\b.*(?:connection refused|no such file or directory)", re.IGNORECASE)
"""Of another program of the device that is not up yet: gokrazy starts all at once, and again what fell."""
_ITSELF = re.compile(r"(?:\b127\.\d+\.\d+\.\d+|\[::1?\]|\blocalhost|\b0\.0\.0\.0|\bunix|/\S+\.sock\b)")


def could_not_reach(line: str, *, isolated: bool, up: bool) -> bool:
    """Whether a line says that a program reached nobody, where that is no fault of its own.

    ``isolated`` says that nobody can be reached here. ``up`` says that the program came up in the end: the
    device's address, or another program of the device, was only not there yet.
    """
    if _NOT_YET.search(line):
        return isolated or up
    if _NO_OFFER.search(line):
        return up
    if _ITSELF.search(line):
        return up and _NOT_UP.search(line) is not None
    return isolated and _NOBODY.search(line) is not None
