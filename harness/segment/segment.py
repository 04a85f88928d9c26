"""Segment: the network of one appliance, on which the harness plays neighbours of it.

QEMU's user network stays as it is: the harness hears the guest's frames beside it, and puts in its own. So an
appliance that may reach nobody reaches the neighbours of its test, and nobody else.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping

from harness.segment.datagram import Datagram, arp_answer
from harness.segment.fragments import Fragments
from harness.segment.link import Link

QEMU_HOST = "10.0.2.2"
"""The host that QEMU plays in its user network."""
QEMU_NAMES = "10.0.2.3"
"""The name server that QEMU announces by DHCP. It says nothing to a guest that may reach nobody."""
NEIGHBOUR = "10.0.2.100"
"""The address of the neighbours: QEMU gives it to nobody."""

Hear = Callable[[Datagram], bytes | None]
"""What a neighbour makes of a datagram: the answer, or None."""


class Segment:
    """Some neighbours of one appliance, over as many QEMU processes as it takes."""

    def __init__(self, neighbours: Mapping[tuple[str, int], Hear]) -> None:
        """Each takes the datagrams to one address and port."""
        self._neighbours = dict(neighbours)
        self._fragments = Fragments()
        # QEMU says for its own where they are, also to a guest that may not reach them.
        addresses = {address for address, _ in neighbours} - {QEMU_HOST, QEMU_NAMES}
        self._hardware = {socket.inet_aton(address): hardware(address) for address in addresses}

    def link(self) -> Link:
        """The wire to one more QEMU process."""
        return Link(self._hear)

    def _hear(self, frame: bytes) -> Iterator[bytes]:
        if (reply := arp_answer(frame, self._hardware)) is not None:
            yield reply
            return
        datagram = Datagram.of_frame(frame, self._fragments)
        if datagram is None:
            return
        hear = self._neighbours.get(datagram.target)
        if hear is not None and (data := hear(datagram)) is not None:
            yield datagram.answer(data)


def hardware(address: str) -> bytes:
    """The hardware address of a neighbour: made as QEMU makes those of its own."""
    return b"\x52\x55" + socket.inet_aton(address)
