"""Perm: the permanent partition of an appliance that is off, and what gokrazy reads there when it starts."""

from __future__ import annotations

from dataclasses import replace

from harness.appliance.core import Core
from harness.errors import OptionError
from harness.image.model import Image
from harness.machine.partitions import read_perm, write_perm

PASSWORD = "gokr-pw.txt"  # noqa: S105 (the name of a file)
"""What init reads in place of the image's password, below /perm (its gokrazy.go, ``readConfigFile``)."""


class Perm(Core):
    """The part of an appliance that is about its /perm, as one has it who takes the disk out."""

    _password: str | None = None
    """The password that was put into /perm, None for that of the image."""

    def read_perm(self, name: str) -> bytes | None:
        """The content of a file, None where there is none; ``name`` is relative to /perm. Only while off.

        Raises OptionError without such a partition, ImageError when it has no usable ext4.
        """
        self._must_be_off(f"read_perm({name!r})")
        return read_perm(self.power.overlay, self.image, name)

    def write_perm(self, name: str, content: bytes) -> None:
        """Put a file there; otherwise as ``read_perm``."""
        self._must_be_off(f"write_perm({name!r})")
        write_perm(self.power.overlay, self.image, name, content)

    def set_password(self, password: str) -> None:
        """Put a password for the web interface into /perm: it counts in place of the image's. Only while off.

        Raises OptionError for an image without a password: gokrazy reads none from anywhere then.
        """
        if self.running.password is None:
            raise OptionError(
                "the image has no password, and so the one in /perm is not read",
                where=self.running.hostname,
                hint="build it without NoPassword",
            )
        self.time_line.keep_secret(password)
        self.write_perm(PASSWORD, password.encode())
        self._password = password
        self._now_runs(self.running)

    def _now_runs(self, image: Image) -> None:
        super()._now_runs(image if self._password is None else replace(image, password=self._password))

    def _must_be_off(self, call: str) -> None:
        if self.power.is_on:
            raise OptionError(
                f"{call} needs an appliance that is off",
                where=self.console.name,
                hint="take the fixture appliance_off, or call power_off() first; breakglass() reads while it runs",
            )
