"""Ports of the guest, and which ports of this host lead to them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

from harness.errors import InternalError, OptionError

Protocol = Literal["tcp", "udp"]

_WRITTEN = re.compile(r"(\d{1,5})(?:/(tcp|udp))?")
# QEMU: net/slirp, slirp_connection_info. What was forwarded for one connection has a state or a time instead.
_FORWARDED = re.compile(r"^\s*(TCP|UDP)\[HOST_FORWARD\]\s+\S+\s+\S+\s+(\d+)\s+\S+\s+(\d+)", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Port:
    """A port of the guest."""

    number: int
    protocol: Protocol = "tcp"

    def __str__(self) -> str:
        return f"{self.number}/{self.protocol}"

    @classmethod
    def parse(cls, text: int | str) -> Port:
        """A port as people write it: ``8080``, ``8080/tcp``, ``53/udp``; raises OptionError."""
        found = _WRITTEN.fullmatch(str(text).strip())
        if found is None or not 0 < int(found[1]) < 1 << 16:
            raise OptionError(f"{text!r} is not a port of the appliance", hint="for example 8080, or 53/udp")
        return cls(int(found[1]), cast(Protocol, found[2] or "tcp"))


def chosen_ports(said: str, forwards: Iterable[Port]) -> dict[Port, int]:
    """Return the port of this host for each of the guest's, from what the monitor's ``info usernet`` said.

    Raises InternalError for one that is not forwarded.
    """
    chosen = {
        Port(int(guest), cast(Protocol, protocol.lower())): int(host)
        for protocol, host, guest in _FORWARDED.findall(said)
    }
    missing = [str(port) for port in forwards if port not in chosen]
    if missing:
        raise InternalError(f"QEMU does not say which port it forwards to {', '.join(missing)}", evidence=said)
    return {port: chosen[port] for port in forwards}
