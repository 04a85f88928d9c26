from __future__ import annotations

import socket
import threading

import pytest

from harness.errors import QemuFailed
from harness.machine import registers
from harness.machine.registers import write_registers


def answering(*answers: bytes) -> tuple[socket.socket, list[bytes]]:
    """The channel to a QEMU that gives these answers, and what it was asked."""
    here, there = socket.socketpair()
    asked: list[bytes] = []

    def serve() -> None:
        with there, there.makefile("rb") as lines:
            for answer, line in zip(answers, lines, strict=False):
                asked.append(line)
                there.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return here, asked


def test_each_register_is_written_once_the_one_before_is_set() -> None:
    channel, asked = answering(b"OK\n", b"OK\n")
    with channel:
        write_registers(channel, [(0x3F200010, 0x24000000), (0x3F200014, 0x924)], where="raspi3b")
    assert asked == [b"writel 0x3f200010 0x24000000\n", b"writel 0x3f200014 0x924\n"]


@pytest.mark.parametrize("answer", [b"FAIL Unknown command 'writel'\n", b"", b"O"])
def test_what_is_not_set_is_said_with_what_was_asked(answer: bytes) -> None:
    channel, _ = answering(answer)
    with channel, pytest.raises(QemuFailed, match="did not set a register") as caught:
        write_registers(channel, [(0x10, 0x1)], where="raspi3b")
    assert caught.value.evidence.startswith("writel 0x10 0x1")
    assert answer.decode().strip() in caught.value.evidence


def test_a_qemu_that_says_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registers, "LIMIT", 0.1)
    here, there = socket.socketpair()
    with here, there, pytest.raises(QemuFailed, match="timed out"):
        write_registers(here, [(0x10, 0x1)], where="raspi3b")
