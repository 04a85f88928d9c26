"""Packets as QEMU writes them into a pipe."""

from __future__ import annotations

import io
import os
from pathlib import Path

import dpkt
import pytest

from harness.errors import WaitTimeout
from harness.segment.packets import Dhcp, Packets, Tap
from harness.tests.segment.frames import GUEST, hardware, udp_frames, who_has


def dhcp(kind: int, hostname: bytes = b"", address: int = 0) -> bytes:
    names = [(dpkt.dhcp.DHCP_OPT_HOSTNAME, hostname)] if hostname else []
    message = dpkt.dhcp.DHCP(
        chaddr=hardware(GUEST[0]).ljust(16, b"\0"), yiaddr=address, opts=[(53, bytes([kind])), *names]
    )
    return udp_frames(bytes(message), ("0.0.0.0", 68), ("255.255.255.255", 67))[0]


FRAMES = [who_has("10.0.2.2"), dhcp(1, b"casa"), dhcp(5, address=0x0A00020F)]


def written(frames: list[bytes]) -> bytes:
    file = io.BytesIO()
    writer = dpkt.pcap.Writer(file)
    for number, frame in enumerate(frames):
        writer.writepkt(frame, ts=1000.5 + number)
    return file.getvalue()


def taken(data: bytes, folder: Path) -> Packets:
    packets = Packets()
    tap = Tap(packets, folder / "pipe")
    qemu = os.open(tap.path, os.O_WRONLY)
    tap.start()
    os.write(qemu, data)
    os.close(qemu)
    tap.close()
    return packets


def test_each_frame_is_there_in_order_with_its_time(tmp_path: Path) -> None:
    packets = taken(written(FRAMES), tmp_path)
    assert [one.data for one in packets] == FRAMES
    assert [one.at for one in packets] == [1000.5, 1001.5, 1002.5]
    assert len(packets) == 3


def test_the_messages_of_dhcp_are_read(tmp_path: Path) -> None:
    packets = taken(written(FRAMES), tmp_path)
    assert packets.dhcp == (
        Dhcp("discover", "casa", "0.0.0.0", GUEST[0]),
        Dhcp("ack", "", "10.0.2.15", GUEST[0]),
    )
    assert packets.wait_for_dhcp("ack", timeout=0.0).address == "10.0.2.15"
    with pytest.raises(WaitTimeout, match="a DHCP offer; the capture heard 3 others"):
        packets.wait_for_dhcp("offer", timeout=0.0)


@pytest.mark.parametrize("most", [0, 10, 24, 30, 50])
def test_a_qemu_that_was_killed_leaves_what_it_wrote(most: int, tmp_path: Path) -> None:
    assert len(taken(written(FRAMES)[:most], tmp_path)) <= 1


def test_they_are_saved_for_other_programs(tmp_path: Path) -> None:
    packets = taken(written(FRAMES), tmp_path)
    packets.save(str(tmp_path / "network.pcap"))
    with (tmp_path / "network.pcap").open("rb") as file:
        assert [(at, data) for at, data in dpkt.pcap.Reader(file)] == [(one.at, one.data) for one in packets]


def test_a_tap_that_no_qemu_took_is_closed(tmp_path: Path) -> None:
    Tap(Packets(), tmp_path / "pipe").close()
    assert not list(tmp_path.iterdir())
