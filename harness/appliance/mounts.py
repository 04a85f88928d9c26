"""Mounts: what MountDevices ask for, and whether it is there."""

from __future__ import annotations

import json
from contextlib import suppress

import paramiko

from harness.appliance.inside import Inside, mounted
from harness.gokrazy.inside import DeviceMount, read_text
from harness.gokrazy.waiting import Deadline, Done, NotYet, poll

ASKED_FOR = "/etc/gokrazy/mountdevices.json"
"""What the packer makes of the instance's MountDevices."""


class Mounts(Inside):
    """The part of an appliance that is about further file systems; needs breakglass."""

    def mount_devices(self) -> tuple[DeviceMount, ...]:
        """What the instance's MountDevices ask for."""
        with self.breakglass() as rescue:
            asked = json.loads(rescue.look("what it is to mount", _asked_for)) or ()
        return tuple(
            DeviceMount(one["Source"], one["Target"], one["Type"], tuple(filter(None, one["Options"].split(","))))
            for one in asked
        )

    def wait_until_mounted(self, wanted: DeviceMount) -> DeviceMount:
        """Wait until something of the same kind is mounted where this one is to be, and return it.

        Raises WaitTimeout; init tries again and again.
        """
        with self.breakglass() as rescue:

            def attempt(_: Deadline) -> Done[DeviceMount] | NotYet:
                there = [one for one in mounted(rescue) if one.target == wanted.target]
                if there and there[-1].kind == wanted.kind:
                    return Done(there[-1])
                return NotYet(str(there[-1]) if there else f"nothing on {wanted.target}")

            return poll(
                f"{wanted.source} to be mounted on {wanted.target}",
                self.budget.service,
                attempt,
                where=self.console.name,
                check=self.check,
                hint="does the machine have that disk? A further one is given by --gk-disk (docs/own-machine.md)",
            )


def _asked_for(sftp: paramiko.SFTPClient) -> str:
    """The packer's JSON; an older one wrote none, and init then mounts nothing."""
    with suppress(FileNotFoundError):
        return read_text(sftp, ASKED_FOR)
    return "null"
