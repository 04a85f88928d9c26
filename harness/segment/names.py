"""Names: a name server for the names that neighbours have."""

from __future__ import annotations

import socket

import dpkt

from harness.segment.datagram import Datagram

PORT = 53
TTL = 60
"""Seconds; gokrazy keeps no answers."""


def is_one_of(name: str, domains: tuple[str, ...]) -> bool:
    """Whether it is one of the domains, or below one."""
    return any(name == domain or name.endswith(f".{domain}") for domain in domains)


class Names:
    """Answers that names at and below some domains have this address, and that no others are known."""

    def __init__(self, domains: tuple[str, ...], address: str) -> None:
        self._domains = domains
        self._address = address
        self.asked: list[str] = []
        """The names that were asked for, in order."""

    def hear(self, datagram: Datagram) -> bytes | None:
        """The answer to a question; None to what is none."""
        try:
            asked = dpkt.dns.DNS(datagram.data)
        except (dpkt.UnpackError, IndexError, UnicodeDecodeError):
            return None
        if asked.qr or len(asked.qd) != 1:
            return None
        question = asked.qd[0]
        name = question.name.lower()
        self.asked.append(name)
        answer = dpkt.dns.DNS(id=asked.id, op=asked.op | dpkt.dns.DNS_QR | dpkt.dns.DNS_RA, qd=[question])
        answer.an, answer.ns, answer.ar = [], [], []
        if not is_one_of(name, self._domains):
            answer.rcode = dpkt.dns.DNS_RCODE_NXDOMAIN
        elif question.type == dpkt.dns.DNS_A:
            record = dpkt.dns.DNS.RR(name=question.name, type=dpkt.dns.DNS_A, cls=question.cls, ttl=TTL)
            record.ip = socket.inet_aton(self._address)
            answer.an.append(record)
        return bytes(answer)
