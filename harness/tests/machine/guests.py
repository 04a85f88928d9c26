"""Guests of one sector: what a machine must do in these tests, without an operating system. 16-bit real mode."""

from __future__ import annotations

import socket

SIGNATURE = b"\x55\xaa"

SAY_R = bytes.fromhex("ba f8 03  b0 52  ee")
"""mov dx,0x3f8; mov al,'R'; out dx,al: an R on the first serial port."""

SAYS_R_WITHIN = 30.0
"""Seconds for the firmware to come to the guest and the guest to its R, on a busy host."""

REST = bytes.fromhex("f4  eb fd")
"""hlt; jmp back."""

OBEYS_THE_POWER_BUTTON = (
    # mov dx,0x602; mov ax,0x100; out dx,ax: the button may set its bit in PM1_STS (q35's ACPI block is at 0x600).
    bytes.fromhex("ba 02 06  b8 00 01  ef")
    # Only now: a button that is pressed before is lost.
    + SAY_R
    # mov dx,0x600; again: in ax,dx; test ah,1; jz again
    + bytes.fromhex("ba 00 06  ed  f6 c4 01  74 fa")
    # mov dx,0x604; mov ax,0x2000; out dx,ax: SLP_EN with sleep type 0, soft off
    + bytes.fromhex("ba 04 06  b8 00 20  ef")
    + REST
)

IDLES = SAY_R + REST

FILLS_ITS_DISK = (
    SAY_R
    # xor ax,ax; mov ds,ax
    + bytes.fromhex("31 c0  8e d8")
    # again: mov si,0x7d00; mov ah,0x43; mov al,0; mov dl,0x80; int 0x13
    + bytes.fromhex("be 00 7d  b4 43  b0 00  b2 80  cd 13")
    # add dword [0x7d08],64; jmp again
    + bytes.fromhex("66 83 06 08 7d 40  eb ed")
)
"""Writes 32 KiB after 32 KiB from sector 64 on, with int 13h."""

# Size, 0, 64 sectors, from f000:0000 (the BIOS: not zeros, which would take no room), to sector 64.
_ADDRESS_PACKET = bytes.fromhex("10 00  40 00  00 00  00 f0  40 00 00 00 00 00 00 00")


def boot_sector(program: bytes) -> bytes:
    """The sector that a BIOS loads to 0000:7c00 and runs."""
    return program.ljust(256, b"\0") + _ADDRESS_PACKET.ljust(254, b"\0") + SIGNATURE


def wait_for_r(console: socket.socket) -> None:
    """Read a PC's console until the guest has said its R.

    SeaBIOS sends what it prints now and then, by its timer: the end of "Booting from Hard Disk..." may come after
    the R.
    """
    console.settimeout(SAYS_R_WITHIN)
    said = b""
    while b"R" not in said.partition(b"Hard Disk")[2]:
        part = console.recv(4096)
        assert part, f"the console ended with: {said!r}"
        said += part
