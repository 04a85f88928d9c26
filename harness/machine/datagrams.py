"""UDP to a guest that may reach nothing: QEMU forwards what comes in, and drops the guest's answers.

With ``restrict=on`` the user network of QEMU (libslirp: ``udp_input``) drops every datagram of the guest, also an
answer to what was forwarded; for TCP it does not. So the harness puts its own frames onto the guest's network, as
if they came from the host that QEMU plays there, and takes the answers from a mirror of what the guest sends.
"""

from __future__ import annotations

import contextlib
import itertools
import selectors
import socket
import struct
import threading
from collections.abc import Iterable, Mapping

from harness.errors import PortTaken
from harness.machine.ports import Port

GUEST = (bytes.fromhex("52 54 00 67 6f 6b"), socket.inet_aton("10.0.2.15"))
"""Hardware address and address of the guest until its own frames tell: by its card and by DHCP."""
HOST = (bytes.fromhex("52 55 0a 00 02 02"), socket.inet_aton("10.0.2.2"))
"""The same of the host that QEMU plays in its user network."""
IPV4 = b"\x08\x00"
UDP = 17
MOST = 1480
"""Bytes of a datagram, its header included, that fit into one frame; a multiple of 8."""
UNFINISHED = 64
"""Datagrams of the guest that may be waiting for the rest of their frames."""
MORE = 0x2000


class Datagrams:
    """Forwards UDP ports of one machine, from ``start`` to ``close``; ``ports`` are the host's ports for them.

    ``prefer`` names those to take; raises PortTaken for one that is in use.
    """

    def __init__(self, forwards: Iterable[Port], prefer: Mapping[Port, int]) -> None:
        self.ports: dict[Port, int] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._guest = GUEST
        self._askers: dict[tuple[int, int], tuple[str, int]] = {}
        """Port of the guest and of the asker -> who asked."""
        self._parts: dict[bytes, dict[int, bytes]] = {}
        self._numbers = itertools.cycle(range(1, 1 << 16))
        self._to_send = bytearray()
        self._heard = bytearray()
        self._closing, self._closed = socket.socketpair()
        self._mirror, mirror = socket.socketpair()
        self._entry, entry = socket.socketpair()
        self.for_qemu = (mirror, entry)
        """What QEMU inherits: where it writes each frame of the guest, and where it reads frames for it."""
        self._entry.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="datagrams", daemon=True)
        try:
            for port in forwards:
                self._bind(port, prefer.get(port, 0))
        except BaseException:
            self.close()
            raise

    def _bind(self, port: Port, wanted: int) -> None:
        here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sockets[port.number] = here
        try:
            here.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise PortTaken(f"port {wanted}/udp of this machine is in use", where=str(port)) from error
        self.ports[port] = here.getsockname()[1]

    def start(self) -> None:
        """Begin to forward."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and free the ports."""
        self._closing.close()
        if self._thread.ident is not None:
            self._thread.join()
        for one in (*self._sockets.values(), self._closed, self._mirror, self._entry, *self.for_qemu):
            one.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for one in (self._closed, self._mirror, *self._sockets.values()):
                selector.register(one, selectors.EVENT_READ)
            asked = {here: number for number, here in self._sockets.items()}
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._closed:
                        return
                    if key.fileobj is self._mirror:
                        if not self._hear():
                            return
                    elif key.fileobj is self._entry:
                        self._send()
                    else:
                        self._ask(asked[key.fileobj])  # type: ignore[index]
                waits = self._entry in selector.get_map()
                if self._to_send and not waits:
                    selector.register(self._entry, selectors.EVENT_WRITE)
                elif waits and not self._to_send:
                    selector.unregister(self._entry)

    def _ask(self, number: int) -> None:
        """Somebody here sent a datagram to a port of the guest."""
        with contextlib.suppress(OSError):
            data, asker = self._sockets[number].recvfrom(1 << 16)
            # A machine that takes nothing in loses datagrams, as any network does.
            if not self._to_send:
                self._askers[number, asker[1]] = asker
                for frame in frames(data, (asker[1], number), self._guest, next(self._numbers)):
                    self._to_send += struct.pack("!I", len(frame)) + frame
                self._send()

    def _send(self) -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                del self._to_send[: self._entry.send(self._to_send)]
            except ConnectionError:
                self._to_send.clear()

    def _hear(self) -> bool:
        """Take in what the guest sent; False when QEMU has gone."""
        try:
            data = self._mirror.recv(1 << 16)
        except ConnectionError:
            return False
        self._heard += data
        while len(self._heard) >= 4 and len(self._heard) >= 4 + (size := struct.unpack_from("!I", self._heard)[0]):
            self._take(bytes(self._heard[4 : 4 + size]))
            del self._heard[: 4 + size]
        return bool(data)

    def _take(self, frame: bytes) -> None:
        """The guest sent a frame: if it answers somebody, pass that on."""
        if frame[12:14] != IPV4 or len(frame) < 34:
            return
        header = 4 * (frame[14] & 0x0F)
        packet = frame[14 : 14 + int.from_bytes(frame[16:18])]
        source, target = packet[12:16], packet[16:20]
        if source[:3] == HOST[1][:3] and source != HOST[1]:
            self._guest = frame[6:12], source
        if packet[9] != UDP or target != HOST[1]:
            return
        datagram = self._whole(packet[4:6], int.from_bytes(packet[6:8]), packet[header:])
        if datagram is None or len(datagram) < 8:
            return
        number, asker, size = struct.unpack_from("!HHH", datagram)
        here, there = self._sockets.get(number), self._askers.get((number, asker))
        if here is not None and there is not None:
            with contextlib.suppress(OSError):
                here.sendto(datagram[8:size], there)

    def _whole(self, name: bytes, place: int, part: bytes) -> bytes | None:
        """The datagram that this is the last missing part of, None while others are missing."""
        offset, more = (place & 0x1FFF) * 8, place & MORE
        if not offset and not more:
            return part
        parts = self._parts.setdefault(name, {})
        parts[offset] = part
        if not more:
            parts[-1] = (offset + len(part)).to_bytes(4)
        if len(self._parts) > UNFINISHED:
            del self._parts[next(iter(self._parts))]
        joined = b"".join(parts[at] for at in sorted(parts) if at >= 0)
        if len(joined) != int.from_bytes(parts.get(-1, b"")):
            return None
        self._parts.pop(name, None)
        return joined


def frames(data: bytes, ports: tuple[int, int], guest: tuple[bytes, bytes], number: int) -> list[bytes]:
    """One datagram from the host to the guest as Ethernet frames; ``ports`` are those of source and target."""
    # Without a checksum (0), as IPv4 allows: nothing on this way can change a bit.
    datagram = struct.pack("!HHHH", *ports, len(data) + 8, 0) + data
    made = []
    for offset in range(0, len(datagram), MOST):
        part = datagram[offset : offset + MOST]
        place = offset // 8 | (MORE if offset + MOST < len(datagram) else 0)
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(part), number, place, 64, UDP, 0) + HOST[1] + guest[1]
        made.append(guest[0] + HOST[0] + IPV4 + head[:10] + _checksum(head) + head[12:] + part)
    return made


def _checksum(header: bytes) -> bytes:
    total = int(sum(struct.unpack(f"!{len(header) // 2}H", header)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2)
