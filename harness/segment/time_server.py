"""TimeServer: a neighbour that says what time it is (NTP, RFC 5905), under the names that are asked for."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import dpkt

from harness.segment.addresses import NEIGHBOUR, QEMU_HOST, QEMU_NAMES
from harness.segment.datagram import BROADCAST, Datagram
from harness.segment.heard import Heard
from harness.segment.leases import PORT as LEASES_PORT
from harness.segment.leases import Leases
from harness.segment.names import PORT as NAMES_PORT
from harness.segment.names import Names
from harness.segment.packets import Dhcp
from harness.segment.segment import Segment

PORT = 123
SINCE_1900 = 2_208_988_800
"""Seconds from the epoch of NTP to that of Unix."""
ERA = 1 << 32
"""Seconds after which the clock of NTP begins again (in 2036)."""
CLIENT, SERVER = 3, 4
"""Modes of NTP."""


@dataclass(frozen=True)
class Asked:
    """One question for the time, and the answer."""

    by: str
    """The address of who asked."""
    told: datetime

    def __str__(self) -> str:
        return f"{self.by} was told {self.told.isoformat()}"


class TimeServer:
    """Answers every question for the time; ``starts_at`` is what it says first, None for this host's time."""

    def __init__(self, starts_at: datetime | None = None, check: Callable[[], None] = lambda: None) -> None:
        self._ahead = starts_at.timestamp() - time.time() if starts_at is not None else 0.0
        self.heard: Heard[Asked] = Heard("the time server", check)
        self.leases: Heard[Dhcp] = Heard("the DHCP server beside the time server", check)
        """The requests for an address that were granted: who has one of these knows where to ask for names."""

    @property
    def now(self) -> datetime:
        """What it says now."""
        return datetime.fromtimestamp(time.time() + self._ahead, UTC)

    @property
    def asked(self) -> tuple[Asked, ...]:
        """The questions that it has answered."""
        return self.heard.all

    def wait_until_known(self, timeout: float) -> None:
        """Wait until the device has a lease by which it finds the server: from its next start, or of its DHCP
        client; raises WaitTimeout.
        """
        hint = "restart the DHCP client: appliance.restart('/gokrazy/dhcp')"
        self.leases.wait("a DHCP request", timeout, lambda _: True, hint=hint)

    def wait_until_asked(self, timeout: float, *, after: int = 0) -> Asked:
        """The first question for the time after so many others, waiting for it; raises WaitTimeout."""
        hint = "does ntp run, and which servers do its flags name? See appliance.log_stream('ntp')"
        return self.heard.wait("a question for the time", timeout, lambda _: True, since=after, hint=hint)

    def hear(self, datagram: Datagram) -> bytes | None:
        """The answer to a question for the time; None to what is none."""
        try:
            question = dpkt.ntp.NTP(datagram.data)
        except dpkt.UnpackError:
            return None
        if question.mode != CLIENT:
            return None
        now = self.now
        stamp = ntp_stamp(now)
        answer = dpkt.ntp.NTP(
            stratum=1,
            interval=question.interval,
            # 2 to the power of -20, as seconds.
            precision=-20 & 0xFF,
            id=b"GKHR",
            update_time=stamp,
            originate_time=question.transmit_time,
            receive_time=stamp,
            transmit_time=stamp,
        )
        answer.v, answer.mode = question.v, SERVER
        self.heard.put(Asked(datagram.source[0], now))
        return bytes(answer)

    def segment(self, domains: tuple[str, ...]) -> Segment:
        """The network with it, with a name server that knows it by every name at or below these domains, and with
        a DHCP server that announces that one.
        """
        names = Names(domains, NEIGHBOUR)
        leases = Leases(QEMU_HOST, QEMU_NAMES, self.leases.put)
        return Segment(
            {
                (BROADCAST, LEASES_PORT): leases.hear,
                (QEMU_HOST, LEASES_PORT): leases.hear,
                (QEMU_NAMES, NAMES_PORT): names.hear,
                (NEIGHBOUR, PORT): self.hear,
            }
        )


def ntp_stamp(when: datetime) -> bytes:
    """A time as NTP has it: seconds since 1900, and their fraction."""
    whole, part = divmod(when.timestamp() + SINCE_1900, 1)
    return struct.pack("!II", int(whole) % ERA, int(part * ERA))
