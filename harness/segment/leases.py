"""Leases: a DHCP server that gives what QEMU's own gives, and says besides where names are answered.

QEMU's announces no name server to a guest that may reach nobody, and would always be the faster one.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

import dpkt

from harness.segment.addresses import GUEST
from harness.segment.datagram import Datagram
from harness.segment.packets import Dhcp

PORT = 67
NETMASK = "255.255.255.0"
LEASE = 24 * 3600
"""Seconds, as QEMU has it."""
_ANSWERS = {"discover": dpkt.dhcp.DHCPOFFER, "request": dpkt.dhcp.DHCPACK}


class Leases:
    """Gives the guest its address, from ``server``, with ``names`` as its name server."""

    def __init__(self, server: str, names: str, given: Callable[[Dhcp], None] = lambda _: None) -> None:
        """``given`` hears of each lease."""
        self._server = server
        self._names = names
        self._given = given

    def hear(self, datagram: Datagram) -> bytes | None:
        """The answer to a client; None to whoever asks for nothing."""
        try:
            asked = dpkt.dhcp.DHCP(datagram.data)
        except (dpkt.UnpackError, IndexError):
            return None
        message = Dhcp.of(asked)
        kind = _ANSWERS.get(message.kind)
        if asked.op != dpkt.dhcp.DHCP_OP_REQUEST or kind is None:
            return None
        server, names = socket.inet_aton(self._server), socket.inet_aton(self._names)
        if kind == dpkt.dhcp.DHCPACK:
            self._given(message)
        return bytes(
            dpkt.dhcp.DHCP(
                op=dpkt.dhcp.DHCP_OP_REPLY,
                xid=asked.xid,
                chaddr=asked.chaddr.ljust(16, b"\0"),
                yiaddr=int.from_bytes(socket.inet_aton(GUEST)),
                siaddr=int.from_bytes(server),
                opts=(
                    (dpkt.dhcp.DHCP_OPT_MSGTYPE, bytes([kind])),
                    (dpkt.dhcp.DHCP_OPT_SERVER_ID, server),
                    (dpkt.dhcp.DHCP_OPT_NETMASK, socket.inet_aton(NETMASK)),
                    (dpkt.dhcp.DHCP_OPT_LEASE_SEC, LEASE.to_bytes(4)),
                    (dpkt.dhcp.DHCP_OPT_DNS_SVRS, names),
                ),
            )
        )
