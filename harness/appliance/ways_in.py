"""The ways into an appliance beside its web interface: its serial shell, and breakglass."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from harness.appliance.abilities import NO_BREAKGLASS, NO_KEY
from harness.appliance.assembly import Assembly
from harness.appliance.core import Core
from harness.console.shell import SerialShell
from harness.errors import HarnessError, OptionError
from harness.gokrazy.breakglass import Breakglass
from harness.gokrazy.keys import generate_key
from harness.image.breakglass_flags import port_of

ASKED = "ip address; ip route; ip neigh; cat /proc/loadavg"
"""What is run in the serial shell of a device that does not answer over its network."""


class WaysIn(Core):
    """The part of an appliance that is about talking to it, with the key that opens it."""

    def __init__(self, made: Assembly) -> None:
        super().__init__(made)
        self._key = made.access.key
        self._shell: SerialShell | None = None
        self._ssh_here = 0
        """The port of this host that led to breakglass when it was started last."""

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

    def start_breakglass(self) -> None:
        """Have the device start breakglass, and wait until it takes connections."""
        rescue = self._breakglass(self._key)
        self._ssh_here = rescue.address.port
        try:
            rescue.start(timeout=self.budget.service)
        finally:
            rescue.close()

    @property
    def ssh_command(self) -> str:
        """The command of OpenSSH that enters breakglass once that runs, "" where no key is known that can."""
        if self.missing("breakglass") or self.image.breakglass is None:
            return ""
        known = self._ssh_here in self.power.ports.values()
        port = self._ssh_here if known else self.port(self.image.breakglass.port)
        # The device makes its host key anew with each /perm, and the port is another one each time.
        trust = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        return f"ssh {trust} -o IdentitiesOnly=yes -i {self._key} -p {port} root@127.0.0.1"

    def connect_breakglass(self, *, key: Path | None = None, password: str | None = None) -> None:
        """Try to connect to breakglass as it is now, with this key or password, and close again."""
        rescue = self._breakglass(key or self._key)
        try:
            if password is not None:
                self.time_line.keep_secret(password)
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
        rescue = Breakglass(*self._ssh_address(self._breakglass_port), key=key, device=self.device)
        rescue.listener = self._witness.ssh
        return rescue

    @property
    def _breakglass_port(self) -> int:
        """The port of the device at which breakglass listens, once it is started."""
        breakglass = self.image.breakglass
        if breakglass is None:
            raise OptionError(NO_BREAKGLASS, where=self.image.hostname)
        if self.image.builder == "given":
            # A finished image does not contain the flags of its programs. Its device lists them, after the name.
            return port_of(self.device.service(breakglass.path).args[1:], breakglass.port)
        return breakglass.port

    def _ssh_address(self, port: int) -> tuple[str, int]:
        """Where this port of the appliance is reached."""
        return "127.0.0.1", self.port(port)
