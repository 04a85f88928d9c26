"""UDP to a guest, with a test in the guest's place: what it is sent, and what of its frames comes back."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from harness.errors import PortTaken
from harness.machine.datagrams import ARP, ARP_HEAD, GUEST, HOST, Datagrams, frames
from harness.machine.ports import Port

DNS = Port(53, "udp")
LIMIT = 10.0
OTHER = (b"\x40" + GUEST[0][1:], socket.inet_aton("10.0.2.77"))


class Guest:
    """The far ends of what QEMU inherits."""

    def __init__(self, datagrams: Datagrams) -> None:
        self.mirror, self.entry = datagrams.for_qemu
        self.entry.settimeout(LIMIT)
        self.addresses = GUEST

    def frame(self) -> bytes:
        """The next frame that it is sent but for questions who it is, which it answers."""
        while (frame := self.any_frame())[12:14] == ARP:
            self.say(here_is(self.addresses))
        return frame

    def any_frame(self) -> bytes:
        """The next frame that it is sent."""
        return self._exactly(struct.unpack("!I", self._exactly(4))[0])

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += self.entry.recv(count - len(data))
        return data

    def say(self, *made: bytes) -> None:
        """Send frames, in pieces as they come."""
        stream = b"".join(struct.pack("!I", len(frame)) + frame for frame in made)
        for at in range(0, len(stream), 1000):
            self.mirror.sendall(stream[at : at + 1000])


def here_is(guest: tuple[bytes, bytes]) -> bytes:
    """The guest's answer to who has its address."""
    return HOST[0] + guest[0] + ARP + ARP_HEAD + b"\0\2" + guest[0] + guest[1] + HOST[0] + HOST[1]


def answers(data: bytes, ports: tuple[int, int], guest: tuple[bytes, bytes] = GUEST) -> list[bytes]:
    """What the guest sends to the host: the way back of ``frames``."""
    there = []
    for frame in frames(data, ports, guest, 7):
        turned = frame[6:12] + frame[:6] + frame[12:26] + frame[30:34] + frame[26:30] + frame[34:]
        there.append(turned)
    return there


@pytest.fixture
def datagrams() -> Iterator[Datagrams]:
    made = Datagrams([DNS, Port(123, "udp")], {})
    made.start()
    yield made
    made.close()


@pytest.fixture
def asker(datagrams: Datagrams) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.settimeout(LIMIT)
        here.connect(("127.0.0.1", datagrams.ports[DNS]))
        yield here


def ports_of(frame: bytes) -> tuple[int, int]:
    source, target = struct.unpack_from("!HH", frame, 34)
    return source, target


def test_the_guest_is_asked_by_the_host_of_its_network_and_answers_come_back(
    datagrams: Datagrams, asker: socket.socket
) -> None:
    guest = Guest(datagrams)
    asker.send(b"who?")
    frame = guest.frame()
    assert (frame[:6], frame[6:12], frame[26:30], frame[30:34]) == (GUEST[0], HOST[0], HOST[1], GUEST[1])
    assert ports_of(frame) == (asker.getsockname()[1], 53)
    assert frame[42:] == b"who?"
    # The header's checksum over itself is nothing.
    total = sum(struct.unpack("!10H", frame[14:34]))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF
    guest.say(*answers(b"me", (53, ports_of(frame)[0])))
    assert asker.recv(100) == b"me"


@pytest.mark.parametrize("size", [0, 1, 1472, 1473, 4096, 60000])
def test_a_datagram_of_any_size_goes_there_and_back(datagrams: Datagrams, asker: socket.socket, size: int) -> None:
    guest, data = Guest(datagrams), bytes(range(256)) * 235
    asker.send(data[:size])
    parts = [guest.frame() for _ in range(max(1, -(-(size + 8) // 1480)))]
    assert all(len(part) <= 1514 for part in parts)
    assert b"".join(part[34:] for part in parts)[8:] == data[:size]
    # Fragments may overtake each other.
    guest.say(*reversed(answers(data[:size], (53, ports_of(parts[0])[0]))))
    assert asker.recv(1 << 16) == data[:size]


def test_what_nobody_asked_for_goes_nowhere(datagrams: Datagrams, asker: socket.socket) -> None:
    guest = Guest(datagrams)
    asker.send(b"who?")
    here = ports_of(guest.frame())[0]
    arp = GUEST[0] + HOST[0] + ARP + bytes(28)
    to_others = frames(b"out", (53, here), (HOST[0], socket.inet_aton("192.0.2.1")), 7)
    tcp = bytearray(answers(b"tcp", (53, here))[0])
    tcp[23] = 6
    unasked = [*answers(b"no", (123, here)), *answers(b"no", (53, here ^ 1)), *answers(b"no", (99, here))]
    guest.say(arp, b"", b"short", *to_others, bytes(tcp), *unasked, *answers(b"me", (53, here)))
    assert asker.recv(100) == b"me"


def test_a_guest_with_other_addresses_is_known_by_its_frames(datagrams: Datagrams, asker: socket.socket) -> None:
    guest = Guest(datagrams)
    asker.send(b"one")
    here = ports_of(guest.frame())[0]
    guest.say(*answers(b"me", (53, here), OTHER))
    assert asker.recv(100) == b"me"
    asker.send(b"two")
    frame = guest.frame()
    assert (frame[:6], frame[30:34]) == OTHER


def test_what_is_sent_before_the_guest_has_an_address_waits_for_that(
    datagrams: Datagrams, asker: socket.socket
) -> None:
    guest = Guest(datagrams)
    asker.send(b"early")
    for _ in range(2):
        asked = guest.any_frame()
        assert (asked[:6], asked[12:14], asked[20:22]) == (b"\xff" * 6, ARP, b"\0\1")
        assert (asked[28:32], asked[38:42]) == (HOST[1], GUEST[1])
    assert not datagrams.wait_until_there(0.0)
    guest.say(here_is(GUEST))
    assert datagrams.wait_until_there(LIMIT)
    assert guest.frame()[42:] == b"early"


def test_a_guest_that_looks_for_an_address_has_none(datagrams: Datagrams, asker: socket.socket) -> None:
    guest = Guest(datagrams)
    guest.say(here_is(GUEST))
    assert datagrams.wait_until_there(LIMIT)
    discover = frames(b"?", (68, 67), (HOST[0], b"\xff" * 4), 7)[0]
    guest.say(discover[:26] + bytes(4) + discover[30:])
    # What comes after it shows that it was taken in.
    while datagrams._there.is_set():
        asker.send(b"who?")
        guest.any_frame()
    asker.send(b"late")
    assert guest.any_frame()[12:14] == ARP
    datagrams.close()


def test_somebody_who_waits_for_an_address_makes_the_guest_be_asked(datagrams: Datagrams) -> None:
    guest = Guest(datagrams)
    waits = threading.Thread(target=datagrams.wait_until_there, args=(LIMIT,))
    waits.start()
    assert guest.any_frame()[12:14] == ARP
    guest.say(here_is(OTHER))
    waits.join(LIMIT)
    assert not waits.is_alive()


def test_the_same_ports_can_be_had_again_but_not_those_of_others(datagrams: Datagrams) -> None:
    before = datagrams.ports
    with pytest.raises(PortTaken, match="/udp of this machine is in use"):
        Datagrams([DNS], before)
    datagrams.close()
    again = Datagrams([DNS, Port(123, "udp")], before)
    assert again.ports == before
    again.close()


def test_a_guest_that_takes_nothing_in_loses_datagrams_and_holds_nobody_up(
    datagrams: Datagrams, asker: socket.socket
) -> None:
    guest = Guest(datagrams)
    for _ in range(2000):
        asker.send(bytes(1400))
    first = ports_of(guest.frame())[0]
    guest.say(*answers(b"still here", (53, first)))
    assert asker.recv(100) == b"still here"


def test_qemu_s_end_is_the_end(datagrams: Datagrams) -> None:
    for end in datagrams.for_qemu:
        end.close()
    datagrams._thread.join(LIMIT)
    assert not datagrams._thread.is_alive()
