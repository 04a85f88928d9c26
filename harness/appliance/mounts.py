"""Mounts: what MountDevices ask for, and whether it is there."""

from __future__ import annotations

import json
from contextlib import suppress

import paramiko

from harness.appliance.inside import Inside, mounted
from harness.gokrazy.inside import DeviceMount, read_text
from harness.gokrazy.waiting import Deadline, Done, NotYet, poll
from harness.image.gokrazys_root import LINKS, MOUNT_DEVICES

BINDS = {"bind", "rbind"}
"""Options that show a folder a second time elsewhere. The kernel lists the type of the folder's file system."""


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

        What is bound there is of the kind of its source, which MountDevices do not say. Raises WaitTimeout; init
        tries again and again.
        """
        with self.breakglass() as rescue:

            def attempt(_: Deadline) -> Done[DeviceMount] | NotYet:
                there = [one for one in mounted(rescue) if one.target in _listed_as(wanted.target)]
                if there and (there[-1].kind == wanted.kind or _is_of_any_kind(wanted)):
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


def _listed_as(target: str) -> tuple[str, ...]:
    """How the kernel may list what is mounted there: with no slash at the end, and with the link /var followed."""
    plain = target.rstrip("/")
    if plain == "/var" or plain.startswith("/var/"):
        return plain, f"{LINKS['/var']}{plain.removeprefix('/var')}"
    return (plain,)


def _is_of_any_kind(wanted: DeviceMount) -> bool:
    return wanted.kind in ("", "none") or not BINDS.isdisjoint(wanted.options)


def _asked_for(sftp: paramiko.SFTPClient) -> str:
    """The packer's JSON; an older one wrote none, and init then mounts nothing."""
    with suppress(FileNotFoundError):
        return read_text(sftp, MOUNT_DEVICES)
    return "null"
