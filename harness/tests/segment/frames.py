"""Frames as a guest sends them, and what comes back for it."""

from __future__ import annotations

import socket
import struct
from typing import Any

import dpkt

GUEST = ("52:54:00:67:6f:6b", "10.0.2.15")
MOST = 1480
"""Bytes of a datagram in one frame."""


def hardware(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def udp_frames(data: bytes, source: tuple[str, int], target: tuple[str, int], *, number: int = 7) -> list[bytes]:
    """One datagram, in as many frames as it takes."""
    udp = dpkt.udp.UDP(sport=source[1], dport=target[1], data=data)
    udp.ulen = len(udp)
    whole = bytes(udp)
    made = []
    for offset in range(0, len(whole), MOST):
        packet = dpkt.ip.IP(
            src=socket.inet_aton(source[0]),
            dst=socket.inet_aton(target[0]),
            p=17,
            id=number,
            mf=int(offset + MOST < len(whole)),
            offset=offset // 8,
            data=whole[offset : offset + MOST],
        )
        made.append(
            bytes(
                dpkt.ethernet.Ethernet(
                    src=hardware(GUEST[0]), dst=b"\x52\x55" + packet.dst, type=0x800, data=packet
                )
            )
        )
    return made


def who_has(address: str) -> bytes:
    """The guest's question for a hardware address."""
    arp = dpkt.arp.ARP(
        sha=hardware(GUEST[0]), spa=socket.inet_aton(GUEST[1]), tha=bytes(6), tpa=socket.inet_aton(address)
    )
    return bytes(dpkt.ethernet.Ethernet(src=hardware(GUEST[0]), dst=b"\xff" * 6, type=0x806, data=arp))


def sent(*made: bytes) -> bytes:
    """As QEMU writes frames to a socket."""
    return b"".join(struct.pack("!I", len(frame)) + frame for frame in made)


def received(end: socket.socket) -> Any:
    """The next frame that QEMU would put in."""
    size = struct.unpack("!I", end.recv(4, socket.MSG_WAITALL))[0]
    return dpkt.ethernet.Ethernet(end.recv(size, socket.MSG_WAITALL))
