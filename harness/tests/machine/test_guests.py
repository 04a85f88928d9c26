from __future__ import annotations

import socket

import pytest

from harness.tests.machine.guests import wait_for_r


@pytest.mark.parametrize(
    "parts",
    [
        (b"Booting from Hard Disk...\r\n", b"R"),
        (b"Booting from Hard Disk..", b"R", b".\r\n"),
        (b"SeaBIOS, PXE ROM\r\nBooting from Hard Disk..R.\r\n",),
    ],
)
def test_an_r_is_heard_wherever_it_comes_in_what_the_firmware_prints(parts: tuple[bytes, ...]) -> None:
    here, there = socket.socketpair()
    with here, there:
        for part in parts:
            there.sendall(part)
        wait_for_r(here)


def test_a_console_that_ends_without_an_r_is_told_with_what_it_said() -> None:
    here, there = socket.socketpair()
    with here:
        there.sendall(b"no ROM\r\n")
        there.close()
        with pytest.raises(AssertionError, match="no ROM"):
            wait_for_r(here)
