"""UDP to a guest that may reach nothing: QEMU forwards what comes in, and drops the guest's answers.

With ``restrict=on`` the user network of QEMU (libslirp: ``udp_input``) drops every datagram of the guest, also an
answer to what was forwarded; for TCP it does not. So the harness puts its own frames onto the guest's network, as
if they came from the host that QEMU plays there, and takes the answers from a mirror of what the guest sends.
As a host does, it asks for the guest's hardware address first (ARP): no guest answers that before it has its
address, and what is sent meanwhile waits.
"""

from __future__ import annotations

import contextlib
import itertools
import selectors
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterable, Mapping

from harness.errors import PortTaken
from harness.machine.ports import Port
from harness.segment import addresses
from harness.segment.fragments import MORE, Fragments

GUEST = (bytes.fromhex("52 54 00 67 6f 6b"), socket.inet_aton(addresses.GUEST))
"""Hardware address and address of the guest until its own frames show them: by its card and by DHCP."""
NOWHERE = bytes(4)
"""The address of a guest that has none yet, and looks for one by DHCP."""
ALL = b"\xff" * 6
HOST = (bytes.fromhex("52 55 0a 00 02 02"), socket.inet_aton(addresses.QEMU_HOST))
"""The same of the host that QEMU plays in its user network."""
IPV4 = b"\x08\x00"
ARP = b"\x08\x06"
ARP_HEAD = b"\0\1" + IPV4 + b"\6\4"
ASK_AGAIN = 0.5
"""Seconds between two questions whether the guest has its address."""
HELD = 64
"""Datagrams that wait for that."""
UDP = 17
MOST = 1480
"""Bytes of a datagram, its header included, that fit into one frame; a multiple of 8."""
MOST_WAITING = 1 << 20
"""Bytes of frames that may wait for QEMU to take them in."""


class Datagrams:
    """Forwards UDP ports of one machine, from ``start`` to ``close``; ``ports`` are the host's ports for them.

    ``prefer`` names those to take; raises PortTaken for one that is in use.
    """

    def __init__(self, forwards: Iterable[Port], prefer: Mapping[Port, int]) -> None:
        self.ports: dict[Port, int] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._guest = GUEST
        self._there = threading.Event()
        """Whether the guest has its address, as far as is known."""
        self._wanted = threading.Event()
        """Whether somebody waits for that."""
        self._held: deque[tuple[int, bytes, tuple[str, int]]] = deque(maxlen=HELD)
        self._askers: dict[tuple[int, int], tuple[str, int]] = {}
        """Port of the guest and of the asker -> who asked."""
        self._fragments = Fragments()
        self._numbers = itertools.cycle(range(1, 1 << 16))
        self._to_send = bytearray()
        self._heard = bytearray()
        self._wake, self._woken = socket.socketpair()
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

    def wait_until_there(self, timeout: float) -> bool:
        """Wait until the guest has an address; False when it has none after ``timeout`` seconds."""
        self._wanted.set()
        # A machine that has ended has nobody to wake.
        with contextlib.suppress(OSError):
            self._wake.send(b"!")
        return self._there.wait(timeout)

    def close(self) -> None:
        """Stop, and free the ports."""
        self._wake.close()
        if self._thread.ident is not None:
            self._thread.join()
        for one in (*self._sockets.values(), self._woken, self._mirror, self._entry, *self.for_qemu):
            one.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for one in (self._woken, self._mirror, *self._sockets.values()):
                selector.register(one, selectors.EVENT_READ)
            asked = {here: number for number, here in self._sockets.items()}
            while True:
                if not self._there.is_set() and (self._held or self._wanted.is_set()):
                    self._ask_who_has_it()
                    ready = selector.select(ASK_AGAIN)
                else:
                    ready = selector.select()
                for key, _ in ready:
                    if key.fileobj in (self._woken, self._mirror):
                        if not (self._hear() if key.fileobj is self._mirror else self._woken.recv(64)):
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
            self._held.append((number, data, asker))
            if self._there.is_set():
                self._pass_on()

    def _pass_on(self) -> None:
        """Send what was held to the guest, which has its address."""
        while self._held:
            number, data, asker = self._held.popleft()
            # A machine that takes nothing in loses datagrams, as any network does.
            if len(self._to_send) < MOST_WAITING:
                self._askers[number, asker[1]] = asker
                self._put(frames(data, (asker[1], number), self._guest, next(self._numbers)))

    def _ask_who_has_it(self) -> None:
        if not self._to_send:
            self._put([ALL + HOST[0] + ARP + ARP_HEAD + b"\0\1" + HOST[0] + HOST[1] + bytes(6) + self._guest[1]])

    def _put(self, made: list[bytes]) -> None:
        for frame in made:
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
        if frame[12:14] == ARP and frame[28:32] != NOWHERE:
            # The sender's hardware address, and its address.
            self._is_there(frame[22:28], frame[28:32])
        if frame[12:14] != IPV4 or len(frame) < 34:
            return
        header = 4 * (frame[14] & 0x0F)
        packet = frame[14 : 14 + int.from_bytes(frame[16:18])]
        source, target = packet[12:16], packet[16:20]
        self._is_there(frame[6:12], source)
        if packet[9] != UDP or target != HOST[1]:
            return
        datagram = self._fragments.whole(packet[4:6], int.from_bytes(packet[6:8]), packet[header:])
        if datagram is None or len(datagram) < 8:
            return
        number, asker, size = struct.unpack_from("!HHH", datagram)
        here, there = self._sockets.get(number), self._askers.get((number, asker))
        if here is not None and there is not None:
            with contextlib.suppress(OSError):
                here.sendto(datagram[8:size], there)

    def _is_there(self, hardware: bytes, address: bytes) -> None:
        """The guest sent something from this address."""
        if address == NOWHERE:
            self._there.clear()
        elif address[:3] == HOST[1][:3] and address != HOST[1]:
            self._guest = hardware, address
            self._there.set()
            self._pass_on()


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
