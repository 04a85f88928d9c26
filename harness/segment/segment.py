"""Segment: the network of one appliance, on which the harness plays neighbours of it.

All that the guest sends goes through here. What is for a neighbour is answered, and everything else goes on to
QEMU's user network, as without a segment. So an appliance that may reach nobody reaches the neighbours of its
test, and nobody else.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping

from harness.segment.addresses import QEMU_HOST
from harness.segment.datagram import BROADCAST, Datagram, arp_answer
from harness.segment.fragments import Fragments
from harness.segment.link import Link

Hear = Callable[[Datagram], bytes | None]
"""What a neighbour makes of a datagram: the answer, or None."""


class Segment:
    """Some neighbours of one appliance, over as many QEMU processes as it takes."""

    def __init__(self, neighbours: Mapping[tuple[str, int], Hear]) -> None:
        """Each takes the datagrams to one address and port."""
        self._neighbours = dict(neighbours)
        self._fragments = Fragments()
        addresses = {address for address, _ in neighbours} - {QEMU_HOST, BROADCAST}
        self._hardware = {socket.inet_aton(address): hardware(address) for address in addresses}

    def link(self) -> Link:
        """The wire to one more QEMU process."""
        return Link(self._hear)

    def _hear(self, frame: bytes) -> Iterable[bytes] | None:
        if (reply := arp_answer(frame, self._hardware)) is not None:
            return [reply]
        if not self._is_ours(frame):
            return None
        datagram = Datagram.of_frame(frame, self._fragments)
        hear = self._neighbours.get(datagram.target) if datagram is not None else None
        if datagram is None or hear is None:
            # A part of a datagram, or one to a port that nobody has.
            return []
        data = hear(datagram)
        return [] if data is None else [datagram.answer(data, hardware(datagram.answers_from))]

    def _is_ours(self, frame: bytes) -> bool:
        """Whether a frame is for a neighbour: by its address, and where that is everybody's, by its port too."""
        if frame[12:14] != b"\x08\x00" or len(frame) < 34:
            return False
        address = frame[30:34]
        if address in self._hardware:
            return True
        header = 14 + 4 * (frame[14] & 0x0F)
        port = int.from_bytes(frame[header + 2 : header + 4])
        return frame[23] == 17 and (socket.inet_ntoa(address), port) in self._neighbours


def hardware(address: str) -> bytes:
    """The hardware address of a neighbour: made as QEMU makes those of its own."""
    return b"\x52\x55" + socket.inet_aton(address)
