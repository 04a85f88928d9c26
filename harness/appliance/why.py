"""Why an appliance does not answer, by what its machine and the device itself say, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.appliance.start_watch import GUEST_NETWORK
from harness.console.phases import Boot, Phase
from harness.errors import DeviceUnreachable, HarnessError, follow
from harness.machine.ending import Ended
from harness.machine.machine import Machine
from harness.machine.ports import Port

SHUTDOWN = "guest-shutdown"
"""QEMU's word for a guest that switched itself off."""
LIMIT = 5.0
"""Seconds that QEMU has for its answer."""
_CARD = re.compile(r"^\d+: (?!lo)(\S+): <(\S+?)>", re.MULTILINE)
"""A network card, and its flags, as ``ip address`` has them."""
_LINE_OF_ROUTE = re.compile(r"^(?:default via|\d+(?:\.\d+){3}/\d+ dev) ", re.MULTILINE)


_ASKED_HERE = re.compile(r"127\.0\.0\.1\D{1,10}(\d+)")
"""The port of this host in the error of a library."""


@dataclass(frozen=True)
class Why:
    """What explains a silence."""

    what: str
    hint: str

    def comes_before(self, error: BaseException) -> None:
        """Have the error of whoever got no answer say this first."""
        if not isinstance(error, HarnessError):
            follow(error, DeviceUnreachable(self.what, hint=self.hint))
            return
        error.what = f"{self.what}; then: {error.what}"
        error.hint = f"{self.hint}; {error.hint}" if error.hint else self.hint
        # It needs more than time.
        error.overdue = False


def why_off(ended: Ended | None, boot: Boot | None = None) -> Why:
    """Why the machine of an appliance is off; ``boot`` is its last one.

    A Raspberry Pi without its watchdog can only halt: the power that is taken from it then was not cut.
    """
    halted = boot is not None and Phase.HALTED in boot.at
    if halted or (ended is not None and ended.failure is None and ended.reason == SHUTDOWN):
        return Why(
            "the appliance has switched itself off", "look at what the console said last, and at what asked for it"
        )
    return Why("the appliance is off: its power was cut", "switch it on before it is asked something")


def why_restarts(boots: Sequence[Boot]) -> Why | None:
    """That a program restarts the appliance, by the last of its boots; init shuts its services down first."""
    if not any(Phase.RESTART in one.at and Phase.SHUTDOWN not in one.at for one in boots[-2:]):
        return None
    return Why(
        "a program had the kernel restart, without asking init",
        "leave programs out of the instance, one after the other, until it stays up",
    )


def why_still(machine: Machine) -> Why | None:
    """Why the processors of a machine stand still, None where they run, or where QEMU does not say."""
    try:
        status = machine.execute("query-status", timeout=LIMIT)["status"]
    except HarnessError:
        return None
    if status != "paused":
        return None
    return Why("the processors of the machine stand still: it is paused", "find what paused it, and let it go on")


def why_no_service(said: str, ports: Mapping[Port, int]) -> Why | None:
    """Which port of an appliance that answers did not, by the port of this host in an error; None for another."""
    asked = {int(number) for number in _ASKED_HERE.findall(said)}
    port = next((there for there, here in ports.items() if here in asked), None)
    if port is None:
        return None
    return Why(
        f"the appliance answers, but not well at its port {port}",
        "look at the program that serves there, and at its log",
    )


def why_unreached(said: str) -> Why | None:
    """What keeps a device from its network, by its own ``ip address; ip route``; None where that shows nothing."""
    cards = [(name.rstrip(":"), flags.split(",")) for name, flags in _CARD.findall(said)]
    if not cards:
        return None
    down = [name for name, flags in cards if "NO-CARRIER" in flags or "UP" not in flags]
    if len(down) == len(cards):
        return Why(
            f"its network card {down[0]} has no carrier, says the device itself", "plug in the network cable"
        )
    if f"inet {GUEST_NETWORK}" not in said:
        return Why(
            f"it has no address that begins with {GUEST_NETWORK}, says the device itself",
            "look at the log of the service dhcp",
        )
    if not _LINE_OF_ROUTE.search(said):
        return Why(
            "it has no route to anybody, says the device itself",
            "look at what changed its routes: where a link comes up late, gokrazy's dhcp may have (docs/found.md)",
        )
    return None
