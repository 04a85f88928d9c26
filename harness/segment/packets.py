"""Packets: the frames on the network of an appliance as they went by, and those of DHCP among them."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dpkt

from harness.segment.heard import Heard

END_LIMIT = 10.0
"""Seconds for the last frames to arrive; they are on their way already."""
_KINDS = {1: "discover", 2: "offer", 3: "request", 4: "decline", 5: "ack", 6: "nak", 7: "release", 8: "inform"}
"""The message types of DHCP (RFC 2132, 9.6)."""


@dataclass(frozen=True)
class Dhcp:
    """A message of DHCP: what a client announces, or what a server gives."""

    kind: str
    """As RFC 2132 calls it: ``discover``, ``offer``, ``request``, ``ack``."""
    hostname: str
    """The name that a client announces (option 12), "" where it announces none."""
    address: str
    """The address that a server gives, ``0.0.0.0`` in a client's message."""
    hardware: str
    """The client's hardware address."""

    @classmethod
    def of(cls, message: Any) -> Dhcp:
        """The message that dpkt has read."""
        options = dict(message.opts)
        return cls(
            _KINDS.get(int.from_bytes(options.get(dpkt.dhcp.DHCP_OPT_MSGTYPE, b"")), "unknown"),
            options.get(dpkt.dhcp.DHCP_OPT_HOSTNAME, b"").decode(errors="replace"),
            socket.inet_ntoa(message.yiaddr.to_bytes(4)),
            message.chaddr.hex(":"),
        )


@dataclass(frozen=True)
class Packet:
    """One frame."""

    at: float
    """Seconds since 1970, by this host's clock when the machine was started."""
    data: bytes

    @cached_property
    def ethernet(self) -> Any:
        """The frame as dpkt reads it (``dpkt.ethernet.Ethernet``); raises dpkt.UnpackError for a broken one."""
        return dpkt.ethernet.Ethernet(self.data)

    @property
    def udp(self) -> Any:
        """The datagram in it (``dpkt.udp.UDP``), None where there is none."""
        try:
            inner = getattr(self.ethernet.data, "data", None)
        except dpkt.UnpackError:
            return None
        return inner if isinstance(inner, dpkt.udp.UDP) else None

    @property
    def dhcp(self) -> Dhcp | None:
        """The message of DHCP in it, None where there is none."""
        udp = self.udp
        if udp is None or {udp.sport, udp.dport} != {67, 68}:
            return None
        try:
            return Dhcp.of(dpkt.dhcp.DHCP(udp.data))
        except (dpkt.UnpackError, IndexError):
            return None

    def __str__(self) -> str:
        return repr(self.ethernet)[:200]


class Packets:
    """The frames of a capture so far, in order; it grows until the capture ends."""

    def __init__(self, check: Callable[[], None] = lambda: None) -> None:
        self.heard: Heard[Packet] = Heard("the capture", check)

    def __iter__(self) -> Iterator[Packet]:
        return iter(self.heard.all)

    def __len__(self) -> int:
        return len(self.heard.all)

    @property
    def dhcp(self) -> tuple[Dhcp, ...]:
        """The messages of DHCP among them."""
        return tuple(message for one in self if (message := one.dhcp) is not None)

    def wait_for(self, what: str, fits: Callable[[Packet], bool], *, timeout: float, hint: str = "") -> Packet:
        """The first packet that fits, which ``what`` says in words; raises WaitTimeout."""
        return self.heard.wait(what, timeout, fits, hint=hint)

    def wait_for_dhcp(self, kind: str, *, timeout: float) -> Dhcp:
        """The first message of DHCP of this kind, such as ``ack``; raises WaitTimeout."""

        def is_one(packet: Packet) -> bool:
            return packet.dhcp is not None and packet.dhcp.kind == kind

        hint = "does the DHCP client run? See appliance.log_stream('dhcp')"
        found = self.wait_for(f"a DHCP {kind}", is_one, timeout=timeout, hint=hint).dhcp
        assert found is not None
        return found

    def save(self, path: Path | str) -> None:
        """Write them as a file for tcpdump or Wireshark; it may have passwords in it."""
        with Path(path).open("wb") as file:
            writer = dpkt.pcap.Writer(file)
            for one in self:
                writer.writepkt(one.data, ts=one.at)


class Tap:
    """Takes in what QEMU's ``filter-dump`` writes into a named pipe, in a thread that ends when QEMU closes it."""

    def __init__(self, packets: Packets, path: Path) -> None:
        """Make the pipe at ``path``, with a reader, so that QEMU need not wait for one."""
        self.path = path
        self._packets = packets
        os.mkfifo(path, 0o600)
        output = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(output, True)
        self._file = os.fdopen(output, "rb")
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        """Begin to read, once QEMU has opened the pipe."""
        self._thread.start()

    def close(self) -> None:
        """Wait until the last frame was read; QEMU has closed its end."""
        if self._thread.ident is None:
            self._file.close()
        else:
            self._thread.join(END_LIMIT)
        self.path.unlink()

    def _run(self) -> None:
        with self._file as file:
            try:
                for at, data in dpkt.pcap.Reader(file):
                    self._packets.heard.put(Packet(float(at), data))
            except (dpkt.UnpackError, ValueError):
                # QEMU was killed in the middle of a frame, or before the first.
                return
