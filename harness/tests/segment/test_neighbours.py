"""Neighbours of a guest, with a test in the place of QEMU: what it is answered, and by whom."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dpkt
import pytest

from harness.segment.addresses import NEIGHBOUR, POOL, QEMU_NAMES
from harness.segment.log_server import LogMessage, LogServer
from harness.segment.segment import Segment, hardware
from harness.segment.time_server import SINCE_1900, TimeServer
from harness.tests.segment.frames import GUEST, received, sent, udp_frames, who_has

LIMIT = 10.0
THEN = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
HERE = (GUEST[1], 40000)


class Guest:
    """The other end of a link."""

    def __init__(self, segment: Segment) -> None:
        self.link = segment.link()
        self.out, self.on, self.into = (end.dup() for end in self.link.for_qemu)
        self.into.settimeout(LIMIT)
        self.on.settimeout(LIMIT)
        self.link.start()

    def close(self) -> None:
        for end in (self.out, self.on, self.into):
            end.close()
        self.link.close()

    def asks(self, data: bytes, target: tuple[str, int]) -> bytes:
        """What a datagram is answered with."""
        self.out.sendall(sent(*udp_frames(data, HERE, target)))
        answer = received(self.into)
        packet = answer.data
        assert (socket.inet_ntoa(packet.src), packet.data.sport) == target
        assert (socket.inet_ntoa(packet.dst), packet.data.dport) == HERE
        assert packet.data.sum, "without a checksum"
        return bytes(packet.data.data)


@pytest.fixture
def server() -> TimeServer:
    return TimeServer(THEN)


@pytest.fixture
def guest(server: TimeServer) -> Iterator[Guest]:
    guest = Guest(server.segment((POOL,)))
    yield guest
    guest.close()


def question(name: str, kind: int = dpkt.dns.DNS_A) -> bytes:
    """As Go's resolver asks: with a record of EDNS."""
    asked = dpkt.dns.DNS(id=4711, op=dpkt.dns.DNS_RD, qd=[dpkt.dns.DNS.Q(name=name, type=kind)], an=[], ns=[])
    asked.ar = [dpkt.dns.DNS.RR(name="", type=dpkt.dns.DNS_OPT, cls=1232, ttl=0)]
    return bytes(asked)


def test_it_is_found_by_arp_under_its_own_hardware_address(guest: Guest) -> None:
    guest.out.sendall(sent(who_has("10.0.2.77"), who_has("10.0.2.2"), who_has(NEIGHBOUR)))
    answer = received(guest.into)
    assert answer.data.op == dpkt.arp.ARP_OP_REPLY
    assert (answer.data.sha, answer.data.spa) == (hardware(NEIGHBOUR), socket.inet_aton(NEIGHBOUR))


def test_what_is_for_no_neighbour_goes_on_as_it_is(guest: Guest) -> None:
    others = [
        who_has("10.0.2.2"),
        *udp_frames(b"to the host", HERE, ("10.0.2.2", 53)),
        *udp_frames(b"to everybody", HERE, ("255.255.255.255", 5353)),
        b"\x33\x33" + bytes(70),
        b"short",
    ]
    guest.out.sendall(sent(*others, *udp_frames(question(POOL), HERE, (QEMU_NAMES, 53)), *others))
    for frame in others * 2:
        size = int.from_bytes(guest.on.recv(4, socket.MSG_WAITALL))
        assert guest.on.recv(size, socket.MSG_WAITALL) == frame


def test_a_guest_that_takes_nothing_in_holds_nobody_up(guest: Guest) -> None:
    frames = sent(*udp_frames(bytes(1400), HERE, ("10.0.2.2", 53)))
    guest.out.settimeout(LIMIT)
    for _ in range(3000):
        guest.out.sendall(frames)
    assert dpkt.dns.DNS(guest.asks(question(POOL), (QEMU_NAMES, 53))).an


def test_a_lease_is_what_qemu_gives_and_the_name_server_besides(guest: Guest, server: TimeServer) -> None:
    seen = {}
    for kind in (1, 3):
        asked = dpkt.dhcp.DHCP(xid=4711, chaddr=b"\x52\x54\0gok".ljust(16, b"\0"), opts=[(53, bytes([kind]))])
        guest.out.sendall(sent(*udp_frames(bytes(asked), ("0.0.0.0", 68), ("255.255.255.255", 67))))
        frame = received(guest.into)
        assert (frame.dst, frame.data.dst) == (hardware_of_guest(), b"\xff" * 4)
        answer = dpkt.dhcp.DHCP(frame.data.data.data)
        assert (answer.op, answer.xid, answer.chaddr) == (2, 4711, b"\x52\x54\0gok")
        options = dict(answer.opts)
        seen[options[53][0]] = socket.inet_ntoa(answer.yiaddr.to_bytes(4))
        assert options[dpkt.dhcp.DHCP_OPT_DNS_SVRS] == socket.inet_aton(QEMU_NAMES)
        assert dpkt.dhcp.DHCP_OPT_ROUTER not in options
    assert seen == {2: "10.0.2.15", 5: "10.0.2.15"}
    server.wait_until_known(0.0)


def hardware_of_guest() -> bytes:
    return bytes.fromhex(GUEST[0].replace(":", ""))


@pytest.mark.parametrize("name", [f"0.gokrazy.{POOL}", f"3.GOKRAZY.{POOL}", POOL])
def test_the_names_of_its_domains_lead_to_it(guest: Guest, name: str) -> None:
    answer = dpkt.dns.DNS(guest.asks(question(name), (QEMU_NAMES, 53)))
    assert (answer.id, answer.qr, answer.rcode) == (4711, 1, 0)
    assert [one.ip for one in answer.an] == [socket.inet_aton(NEIGHBOUR)]


def test_a_name_has_no_other_address_than_that(guest: Guest) -> None:
    answer = dpkt.dns.DNS(guest.asks(question(POOL, dpkt.dns.DNS_AAAA), (QEMU_NAMES, 53)))
    assert (answer.rcode, answer.an) == (0, [])


@pytest.mark.parametrize("name", ["example.org", f"not-{POOL}"])
def test_no_other_name_is_known(guest: Guest, name: str) -> None:
    answer = dpkt.dns.DNS(guest.asks(question(name), (QEMU_NAMES, 53)))
    assert (answer.rcode, answer.an) == (dpkt.dns.DNS_RCODE_NXDOMAIN, [])


def test_the_time_is_what_the_test_wants_and_goes_on(guest: Guest, server: TimeServer) -> None:
    asked = dpkt.ntp.NTP(flags=0x23, id=bytes(4), transmit_time=b"whatever")
    asked.update_time = asked.originate_time = asked.receive_time = bytes(8)
    answer = dpkt.ntp.NTP(guest.asks(bytes(asked), (NEIGHBOUR, 123)))
    assert (answer.v, answer.mode, answer.stratum) == (4, 4, 1)
    assert answer.originate_time == b"whatever"
    told = datetime.fromtimestamp(int.from_bytes(answer.transmit_time) / 2**32 - SINCE_1900, UTC)
    assert THEN <= told < THEN + timedelta(seconds=LIMIT)
    assert server.asked[0].by == GUEST[1]
    assert server.now >= told


def test_the_time_after_2036_begins_anew() -> None:
    later = TimeServer(datetime(2040, 1, 1, tzinfo=UTC))
    guest = Guest(later.segment((POOL,)))
    asked = dpkt.ntp.NTP(flags=0x23, id=bytes(4), transmit_time=bytes(8))
    asked.update_time = asked.originate_time = asked.receive_time = bytes(8)
    answer = dpkt.ntp.NTP(guest.asks(bytes(asked), (NEIGHBOUR, 123)))
    guest.close()
    assert int.from_bytes(answer.transmit_time[:4]) == 2208988800 + 2208988800 - 2**32


def test_frames_that_come_in_pieces_are_whole(guest: Guest) -> None:
    stream = sent(who_has("10.0.2.77"), *udp_frames(question(POOL), HERE, (QEMU_NAMES, 53)))
    for at in range(0, len(stream), 7):
        guest.out.sendall(stream[at : at + 7])
    assert dpkt.dns.DNS(received(guest.into).data.data.data).an


def test_what_makes_no_sense_is_not_answered_and_does_no_harm(guest: Guest) -> None:
    for nonsense in (b"", b"x", bytes(60), b"\xff" * 100):
        guest.out.sendall(sent(nonsense, *udp_frames(nonsense, HERE, (QEMU_NAMES, 53))))
        guest.out.sendall(sent(*udp_frames(nonsense, HERE, (NEIGHBOUR, 123))))
    assert guest.asks(question(POOL), (QEMU_NAMES, 53))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            b"<6>2026-11-27T00:40:00Z hello-arm64 hello[1]: listening [::]:8080\n",
            LogMessage("listening [::]:8080", 6, "2026-11-27T00:40:00Z", "hello-arm64", "hello"),
        ),
        (b"nothing that is known\xff", LogMessage("nothing that is known\ufffd")),
    ],
)
def test_a_log_server_takes_messages_apart(said: bytes, message: LogMessage) -> None:
    server = LogServer()
    guest = Guest(server.segment())
    guest.out.sendall(sent(*udp_frames(said, HERE, (NEIGHBOUR, 514))))
    assert server.wait_for("", timeout=LIMIT) == message
    guest.close()


def test_a_message_that_is_longer_than_a_frame_is_whole() -> None:
    server = LogServer()
    guest = Guest(server.segment())
    said = b"<6>2026-11-27T00:40:00Z h x[1]: " + b"long " * 700
    guest.out.sendall(sent(*udp_frames(said, HERE, (NEIGHBOUR, 514))))
    assert server.wait_for("long", by="/user/x", timeout=LIMIT).text == "long " * 700
    guest.close()


def test_a_link_ends_when_qemu_does() -> None:
    guest = Guest(LogServer().segment())
    guest.out.close()
    guest.link._thread.join(LIMIT)
    assert not guest.link._thread.is_alive()
    guest.link.close()
