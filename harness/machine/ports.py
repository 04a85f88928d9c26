"""Which ports of this host QEMU chose to forward."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.errors import InternalError

_FORWARDED = re.compile(r"^\s*TCP\[HOST_FORWARD\]\s+\S+\s+\S+\s+(\d+)\s+\S+\s+(\d+)", re.MULTILINE)


def chosen_ports(said: str, forwards: Mapping[str, int]) -> dict[str, int]:
    """Return the port of this host for each name of ``forwards``, from what the monitor's ``info usernet`` said.

    ``forwards`` maps names to ports of the guest. Raises InternalError for one that is not forwarded.
    """
    by_guest = {int(guest): int(host) for host, guest in _FORWARDED.findall(said)}
    try:
        return {name: by_guest[guest] for name, guest in forwards.items()}
    except KeyError as error:
        raise InternalError(f"QEMU does not say which port it forwards to {error}", evidence=said) from error
