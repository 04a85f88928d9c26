"""The ways into an appliance: its web interface, its serial shell, breakglass, the project's own hello program."""

from __future__ import annotations

import contextlib
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import requests

from harness.boards import Budget
from harness.console.console import Console
from harness.console.shell import SerialShell
from harness.errors import HarnessError, OptionError
from harness.gokrazy.breakglass import Breakglass
from harness.gokrazy.client import Device
from harness.gokrazy.keys import generate_key
from harness.machine.power import Power

ASKED = "ip address; ip route; ip neigh; cat /proc/loadavg"
"""What a device is asked by its serial shell that does not answer over its network."""


class WaysIn(ABC):
    """The part of an appliance that is about talking to it, with the password and the key that open it."""

    budget: Budget
    console: Console
    power: Power
    """Knows the ports on this host that lead to the appliance's own."""

    def __init__(self, *, key: Path | None, password: str | None) -> None:
        self._key = key
        self._password = password
        self._device: Device | None = None
        self._shell: SerialShell | None = None

    @abstractmethod
    def check(self) -> None:
        """Raise what is known to be wrong with the appliance."""

    @property
    def device(self) -> Device:
        """Its web interface."""
        if self._device is None:
            self._device = self.device_with_password(self._password)
        return self._device

    def _forget_device(self) -> None:
        """Drop the connections, and the ports, which a new QEMU may have changed."""
        if self._device is not None:
            self._device.close()
        self._device = None

    def device_with_password(self, password: str | None) -> Device:
        """Return its web interface as somebody sees it who knows this password."""
        device = Device(
            f"http://127.0.0.1:{self.power.ports['http']}",
            password=password,
            verify=False,
            check=self.check,
            https_url=f"https://127.0.0.1:{self.power.ports['https']}",
        )
        if self._device is not None and self._device.speaks_tls:
            device.over_tls()
        return device

    def _use_password(self, password: str | None) -> None:
        """Go on with the password of what runs now."""
        if password != self._password:
            self._password = password
            self._forget_device()

    def hello(self, path: str) -> str:
        """Get a page from the project's own hello program."""
        answer = requests.get(f"http://127.0.0.1:{self.power.ports['hello']}{path}", timeout=self.budget.service)
        answer.raise_for_status()
        return answer.text

    @property
    def shell(self) -> SerialShell:
        """The root shell on the serial console."""
        if self._shell is None:
            self._shell = SerialShell(self.console)
        return self._shell

    def network_from_within(self) -> str:
        """What the device knows of its own network, by its serial shell, or why it does not say."""
        try:
            return self.shell.run(ASKED)[1].rstrip()
        except HarnessError as error:
            return f"{ASKED}: {error.what}"

    @contextlib.contextmanager
    def breakglass(self) -> Iterator[Breakglass]:
        """Start breakglass, connect with the run's key, and close the connection at the end."""
        rescue = self._breakglass(self._key)
        try:
            rescue.start(timeout=self.budget.service)
            rescue.connect()
            yield rescue
        finally:
            rescue.close()

    def connect_breakglass(self, *, key: Path | None = None, password: str | None = None) -> None:
        """Try to connect to breakglass as it is now, with this key or password, and close again."""
        rescue = self._breakglass(key or self._key)
        try:
            if password is not None:
                rescue.try_password(password)
            else:
                rescue.connect()
        finally:
            rescue.close()

    def foreign_key(self, folder: Path) -> Path:
        """Make a key that nobody authorised."""
        return generate_key(folder / f"foreign-{secrets.token_hex(4)}").private

    def _breakglass(self, key: Path | None) -> Breakglass:
        if key is None:
            raise OptionError(
                "no key is known that breakglass on this image accepts", hint="give one with --gk-ssh-key"
            )
        return Breakglass("127.0.0.1", self.power.ports["ssh"], key=key, device=self.device)
