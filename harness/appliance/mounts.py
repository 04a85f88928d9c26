"""Mounts: the file systems that an appliance has mounted, by its kernel's word."""

from __future__ import annotations

import json
from dataclasses import dataclass

from harness.appliance.ways_in import WaysIn
from harness.gokrazy.waiting import Deadline, Done, NotYet, poll

ASKED_FOR = "/etc/gokrazy/mountdevices.json"
"""What the packer makes of the instance's MountDevices."""


@dataclass(frozen=True)
class Mount:
    """A file system that is mounted, or that MountDevices asks for."""

    source: str
    target: str
    kind: str
    """Such as ``ext4``."""
    options: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.source} on {self.target}"


class Mounts(WaysIn):
    """The part of an appliance that is about its file systems; needs breakglass with a shell."""

    def mounts(self) -> tuple[Mount, ...]:
        """All that is mounted, the latest last."""
        with self.breakglass() as rescue:
            return _mounts(rescue.run("cat /proc/mounts").text)

    def mount_devices(self) -> tuple[Mount, ...]:
        """What the instance's MountDevices ask for."""
        with self.breakglass() as rescue:
            asked = json.loads(rescue.run(f"cat {ASKED_FOR}").text) or ()
        return tuple(Mount(one["Source"], one["Target"], one["Type"], _options(one["Options"])) for one in asked)

    def wait_until_mounted(self, wanted: Mount) -> Mount:
        """Wait until something of the same kind is mounted where this one is to be, and return it.

        Raises WaitTimeout; init tries again and again.
        """
        with self.breakglass() as rescue:

            def attempt(_: Deadline) -> Done[Mount] | NotYet:
                there = [
                    one for one in _mounts(rescue.run("cat /proc/mounts").text) if one.target == wanted.target
                ]
                if there and there[-1].kind == wanted.kind:
                    return Done(there[-1])
                return NotYet(f"{there[-1]} ({there[-1].kind})" if there else f"nothing on {wanted.target}")

            return poll(
                f"{wanted.source} to be mounted on {wanted.target}",
                self.budget.service,
                attempt,
                where=self.console.name,
                check=self.check,
                hint="does the machine have that disk? A further one is given by --gk-disk (docs/own-machine.md)",
            )


def _mounts(text: str) -> tuple[Mount, ...]:
    rows = (line.split() for line in text.splitlines())
    return tuple(Mount(row[0], row[1], row[2], _options(row[3])) for row in rows if len(row) > 3)


def _options(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()
