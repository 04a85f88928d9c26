"""Diversion: a program of this host that a device runs from its memory in place of a service, as ``gok run`` does.

The device keeps it in /tmp and forgets it with its next boot. Source: gokrazy's update.go, uploadTemp and divert.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from harness.errors import OptionError, RequestRefused
from harness.gokrazy.client import Device
from harness.gokrazy.transport import CONNECT

FOLDER = "gokharness-run"
"""Where it lies below the device's /tmp."""
MISSING = 404
"""What gokrazy answers where it has no such handler, or no such service."""


def send_program(device: Device, program: Path, *, stall: float) -> str:
    """Send a program to the device's memory; returns where it lies below /tmp.

    ``stall`` limits each wait for the device, in seconds. Raises RequestRefused as ``divert`` does.
    """
    place = f"{FOLDER}/{program.name}"
    try:
        file = program.open("rb")
    except OSError as error:
        raise OptionError(f"the program cannot be read: {error.strerror}", where=str(program)) from None
    with file:
        _ask(device, "PUT", f"/uploadtemp/{place}", file, {}, stall)
    return place


def divert(device: Device, path: str, place: str, flags: Sequence[str], *, stall: float) -> None:
    """Have the program that lies at ``place`` run with these flags where the service with that path ran.

    Where there is no such service, the device makes one. Raises RequestRefused, with 404 from a gokrazy that is
    older than ``gok run``.
    """
    asked = json.dumps({"Path": path, "Diversion": place, "Flags": list(flags)}).encode()
    _ask(device, "POST", "/divert", asked, {"Content-Type": "application/json"}, stall)


def _ask(device: Device, method: str, path: str, data: object, headers: dict[str, str], stall: float) -> None:
    try:
        device.endpoint.request(method, path, data=data, headers=headers, timeout=(CONNECT, stall))  # type: ignore[arg-type]
    except RequestRefused as error:
        if error.status == MISSING:
            error.hint = "gokrazy on this device is older than gok run: update its instance (gok get gokrazy)"
        raise
