"""Writes to the registers of a machine that does not run yet, over QEMU's qtest protocol (a line, an answer)."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from harness.errors import QemuFailed

LIMIT = 10.0
"""Seconds for QEMU to answer a write; it does so at once."""


def write_registers(channel: socket.socket, writes: Iterable[tuple[int, int]], *, where: str) -> None:
    """Write 32-bit values to addresses; raises QemuFailed when QEMU refuses one or does not answer."""
    channel.settimeout(LIMIT)
    for address, value in writes:
        line = f"writel {address:#x} {value:#x}"
        answer = b""
        try:
            channel.sendall(f"{line}\n".encode())
            while not answer.endswith(b"\n"):
                answer += (received := channel.recv(4096))
                if not received:
                    break
        except OSError as error:
            raise QemuFailed(f"QEMU did not set a register: {error}", where=where, evidence=line) from error
        if answer != b"OK\n":
            said = answer.decode(errors="replace")
            raise QemuFailed("QEMU did not set a register", where=where, evidence=f"{line}\n{said}".strip())
