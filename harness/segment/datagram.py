"""UDP as neighbours see it: a datagram that the guest sent, and the frame that answers it."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field

import dpkt

from harness.segment.addresses import QEMU_HOST
from harness.segment.fragments import MORE, Fragments

BROADCAST = "255.255.255.255"
NOBODY = "0.0.0.0"  # noqa: S104 (nothing is bound to it)
"""The address of a guest that has none yet."""


@dataclass(frozen=True)
class Datagram:
    """One datagram of the guest; addresses are as people write them."""

    source: tuple[str, int]
    target: tuple[str, int]
    data: bytes
    hardware: bytes = b""
    """The guest's hardware address."""
    at: float = field(default_factory=time.time)
    """Seconds since 1970, by this host's clock."""

    @classmethod
    def of_frame(cls, frame: bytes, fragments: Fragments) -> Datagram | None:
        """The datagram in a frame, or that the frame completes; None where there is none."""
        try:
            ethernet = dpkt.ethernet.Ethernet(frame)
            packet = ethernet.data
            if not isinstance(packet, dpkt.ip.IP) or packet.p != dpkt.ip.IP_PROTO_UDP:
                return None
            place = (MORE if packet.mf else 0) | packet.offset
            whole = fragments.whole(packet.id.to_bytes(2), place, bytes(packet.data))
            if whole is None:
                return None
            udp = dpkt.udp.UDP(whole)
        except (dpkt.UnpackError, ValueError):
            # Frames of other protocols, or broken ones: nobody here has anything to say to them.
            return None
        ends = [socket.inet_ntoa(address) for address in (packet.src, packet.dst)]
        return cls((ends[0], udp.sport), (ends[1], udp.dport), bytes(udp.data), ethernet.src)

    @property
    def answers_from(self) -> str:
        """The address that an answer comes from: the one it was sent to, unless that is everybody's."""
        return QEMU_HOST if self.target[0] == BROADCAST else self.target[0]

    def answer(self, data: bytes, hardware: bytes) -> bytes:
        """The frame that answers it, from this hardware address; to everybody while the guest has no address."""
        udp = dpkt.udp.UDP(sport=self.target[1], dport=self.source[1], data=data)
        udp.ulen = len(udp)
        to = BROADCAST if self.source[0] == NOBODY else self.source[0]
        packet = dpkt.ip.IP(
            src=socket.inet_aton(self.answers_from), dst=socket.inet_aton(to), p=dpkt.ip.IP_PROTO_UDP, data=udp
        )
        packet.len = len(packet)
        ethernet = dpkt.ethernet.Ethernet(
            src=hardware, dst=self.hardware, type=dpkt.ethernet.ETH_TYPE_IP, data=packet
        )
        return bytes(ethernet)


def arp_answer(frame: bytes, hardware_of: dict[bytes, bytes]) -> bytes | None:
    """The frame that answers a question for one of these addresses; None for any other frame."""
    try:
        asked = dpkt.ethernet.Ethernet(frame)
    except dpkt.UnpackError:
        return None
    arp = asked.data
    if not isinstance(arp, dpkt.arp.ARP) or arp.op != dpkt.arp.ARP_OP_REQUEST:
        return None
    hardware = hardware_of.get(bytes(arp.tpa))
    if hardware is None:
        return None
    reply = dpkt.arp.ARP(op=dpkt.arp.ARP_OP_REPLY, sha=hardware, spa=arp.tpa, tha=arp.sha, tpa=arp.spa)
    return bytes(dpkt.ethernet.Ethernet(src=hardware, dst=arp.sha, type=dpkt.ethernet.ETH_TYPE_ARP, data=reply))
