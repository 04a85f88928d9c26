"""The ways into an appliance: its web interface, its serial shell, breakglass, the project's own hello program."""

from __future__ import annotations

import contextlib
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import requests

from harness.appliance.abilities import NO_BREAKGLASS, NO_KEY
from harness.boards import Budget
from harness.build.breakglass_flags import port_of
from harness.console.console import Console
from harness.console.shell import SerialShell
from harness.errors import HarnessError, OptionError
from harness.gokrazy.breakglass import Breakglass
from harness.gokrazy.client import Device
from harness.gokrazy.keys import generate_key
from harness.image.model import Image
from harness.machine.ports import Port
from harness.machine.power import Power

OWN_PORT = 8080
"""What the project's own hello program listens on."""
ASKED = "ip address; ip route; ip neigh; cat /proc/loadavg"
"""What a device is asked by its serial shell that does not answer over its network."""


class WaysIn(ABC):
    """The part of an appliance that is about talking to it, with the password and the key that open it."""

    budget: Budget
    console: Console
    image: Image
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
            self.url(self.image.http_port),
            password=password,
            verify=False,
            check=self.check,
            https_url=self.url(self.image.https_port, scheme="https"),
        )
        if self._device is not None and self._device.speaks_tls:
            device.over_tls()
        return device

    def _use_password(self, password: str | None) -> None:
        """Go on with the password of what runs now."""
        if password != self._password:
            self._password = password
            self._forget_device()

    def port(self, port: int | str) -> int:
        """The port of 127.0.0.1 that leads to this one of the appliance: 8080, or "53/udp".

        It may be another one after the appliance was switched off and on. Raises OptionError for a port that is
        not forwarded.
        """
        wanted = Port.parse(port)
        forwards = self.power.spec.equipment.forwards
        if wanted not in forwards:
            raise OptionError(
                f"port {wanted} of the appliance is not forwarded to this host",
                hint=f"give --gk-forward {wanted} (ini: gk_forward); forwarded: {', '.join(map(str, forwards))}",
            )
        if wanted not in self.power.ports:
            raise OptionError(
                f"port {wanted} leads nowhere yet: the appliance was not switched on",
                hint="power_on() comes first",
            )
        return self.power.ports[wanted]

    def url(self, port: int | str, path: str = "", *, scheme: str = "http") -> str:
        """Where to reach what listens on a forwarded port of the appliance; raises as ``port`` does."""
        return f"{scheme}://127.0.0.1:{self.port(port)}{path}"

    def hello(self, path: str) -> str:
        """Get a page from the project's own hello program."""
        answer = requests.get(self.url(OWN_PORT, path), timeout=self.budget.service)
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
            raise OptionError(NO_KEY)
        if self.image.breakglass is None:
            raise OptionError(NO_BREAKGLASS, where=self.image.hostname)
        port = self.image.breakglass.port
        if self.image.builder == "given":
            # A finished image does not tell the flags of its programs; its device does, the program's name first.
            port = port_of(self.device.service(self.image.breakglass.path).args[1:], port)
        return Breakglass("127.0.0.1", self.port(port), key=key, device=self.device)
