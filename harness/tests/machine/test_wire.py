from __future__ import annotations

import socket
import threading

import pytest

from harness.machine.wire import Wire


@pytest.fixture
def wire() -> Wire:
    made = Wire()
    made.start()
    made.ours.settimeout(5)
    return made


def everything(sock: socket.socket) -> bytes:
    data = b""
    while part := sock.recv(1 << 16):
        data += part
    return data


def test_a_boot_written_byte_by_byte_never_waits_for_its_reader() -> None:
    wire = Wire()  # not started: a reader that this host never schedules
    writer, _ = wire.for_qemu
    said = bytes(range(256)) * 200
    done = threading.Event()

    def guest() -> None:
        for byte in said:
            writer.write(bytes([byte]))
        done.set()

    threading.Thread(target=guest, daemon=True).start()
    assert done.wait(20), "the line was full before the boot was over"
    wire.start()
    writer.close()
    assert everything(wire.ours) == said


def test_both_directions_carry_bytes_in_order(wire: Wire) -> None:
    writer, reader = wire.for_qemu
    wire.ours.sendall(b"ls\n")
    assert reader.read(3) == b"ls\n"
    writer.write(b"bin dev\n")
    assert wire.ours.recv(100) == b"bin dev\n"
    writer.close()
    assert wire.ours.recv(1) == b""


def test_the_last_words_before_the_end_arrive(wire: Wire) -> None:
    writer, _ = wire.for_qemu
    writer.write(b"Power down")
    writer.close()
    assert everything(wire.ours) == b"Power down"


def test_a_reader_that_has_gone_does_not_hold_the_guest_up(wire: Wire) -> None:
    writer, _ = wire.for_qemu
    wire.ours.close()
    done = threading.Event()

    def guest() -> None:
        for _ in range(64):
            writer.write(bytes(1 << 16))
        done.set()

    threading.Thread(target=guest, daemon=True).start()
    assert done.wait(20)
    writer.close()


def test_input_for_a_guest_that_reads_nothing_waits(wire: Wire) -> None:
    writer, reader = wire.for_qemu
    said = b"x" * (1 << 18)
    threading.Thread(target=wire.ours.sendall, args=(said,), daemon=True).start()
    writer.write(b"still here")
    assert wire.ours.recv(100) == b"still here"
    got = b""
    while len(got) < len(said):
        got += reader.read(1 << 16)
    assert got == said
