"""The options of a run that are about a real device."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from harness.errors import OptionError
from harness.option import Option, names

if TYPE_CHECKING:
    from harness.appliance.real_power import Switch
    from harness.console.serial_line import SerialPort

CHECK = ("check",)

# What is not on the way of ``pytest --help`` is imported where it is needed.


@dataclass(frozen=True)
class At:
    """Where something of a device answers."""

    host: str
    port: int
    scheme: str = "http"

    @property
    def in_url(self) -> str:
        """The host as it stands in a URL."""
        return f"[{self.host}]" if ":" in self.host else self.host

    def __str__(self) -> str:
        return f"{self.scheme}://{self.in_url}:{self.port}"


def _web(value: object) -> At:
    parts = urlsplit(str(value))
    if parts.username is not None or parts.password is not None:
        # Not quoted: it contains the password.
        raise OptionError("a password does not belong into an address", hint="put it into a --gk-password-file")
    return _at(parts, str(value), {"http": 80, "https": 443}, "http://HOST or http://HOST:PORT")


def _ssh(value: object) -> At:
    text = str(value)
    return _at(urlsplit(f"ssh://{text}"), text, {"ssh": 22}, "HOST or HOST:PORT")


def _at(parts: SplitResult, text: str, ports: dict[str, int], form: str) -> At:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in ports or not parts.hostname or port == 0 or parts.path.strip("/") or parts.query:
        raise OptionError(f"{text!r} is not the address of a device", hint=f"give {form}")
    return At(parts.hostname, port or ports[parts.scheme], parts.scheme)


def _serial(value: object) -> SerialPort:
    from harness.console.serial_line import SerialPort

    return SerialPort.parse(str(value))


def _switch(value: object) -> Switch:
    from harness.appliance.real_power import Switch

    return Switch(str(value))


def _kinds(value: object) -> frozenset[str]:
    from harness.gokrazy.may import kinds

    return kinds(names(value))


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """A real device to test, how it is wired, and what may be done to it."""

    device: At | None = Option(
        "device",
        "test the real device at this address instead of a machine; it is only looked at, unless --gk-device-may "
        "allows more (docs/devices.md)",
        metavar="URL",
        reader=_web,
        commands=CHECK,
    ).default(None)
    device_serial: SerialPort | None = Option(
        "device-serial",
        "serial port of this host that the device's console is wired to",
        metavar="TTY[@SPEED]",
        reader=_serial,
        commands=CHECK,
    ).default(None)
    device_ssh: At | None = Option(
        "device-ssh",
        "where breakglass on the device answers, if not at the host of --gk-device",
        metavar="HOST[:PORT]",
        reader=_ssh,
        commands=CHECK,
    ).default(None)
    device_power: Switch | None = Option(
        "device-power",
        "command that switches the device's power: the word on or off is added, or put in place of {}",
        metavar="COMMAND",
        reader=_switch,
        commands=CHECK,
    ).default(None)
    device_may: frozenset[str] = Option(
        "device-may",
        "what tests may do to the device, separated by commas: services, shell, reboot, update, power",
        kind="list",
        metavar="KIND[,KIND]",
        reader=_kinds,
        commands=CHECK,
    ).default(frozenset())

    def refuse_device(self, flags: Collection[str], of_machines: Collection[str]) -> None:
        """Raise OptionError where the ``flags`` that were given do not go with a device, or want one.

        ``of_machines`` are those of them that say what a machine is to be, or what is to be built.
        """
        if self.device is None:
            alone = [flag for flag in flags if flag.removeprefix("--gk-").startswith("device-")]
            if alone:
                raise OptionError(f"{', '.join(alone)}: no device is named", hint="give --gk-device URL as well")
        elif of_machines:
            raise OptionError(
                f"{', '.join(of_machines)}: this is for machines, and --gk-device tests a real device",
                hint="leave it out; what the device runs is given as an image, not as an instance",
            )
        elif "power" in self.device_may and self.device_power is None:
            raise OptionError("--gk-device-may power: nothing switches it", hint="give --gk-device-power COMMAND")
