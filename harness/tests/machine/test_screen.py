"""What a screen shows: as QEMU writes it, as a report has it, and what of it is no evidence."""

from __future__ import annotations

import random
import shutil
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.boards import board
from harness.errors import QemuFailed
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.equipment import Equipment
from harness.machine.run_dir import RunDir
from harness.machine.screen import LARGEST, LINE, Picture, picture
from harness.tests.machine.guests import IDLES, SAYS_R_WITHIN, boot_sector
from harness.tests.machine.specs import machine_of
from harness.tests.report.samples import screen

SMALL = Equipment(memory=64, cpus=1)


def unpacked(png: bytes) -> tuple[int, int, bytes]:
    """Width, height and rows of a PNG, with their filter bytes; each of its checksums is looked at."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, content, size = 8, b"", (0, 0)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length) == (zlib.crc32(kind + data),)
        if kind == b"IHDR":
            size = struct.unpack_from(">II", data)
        content += data if kind == b"IDAT" else b""
        at += 12 + length
    return (*size, zlib.decompress(content))


def test_a_png_has_the_pixels_of_the_picture() -> None:
    pixels = bytes(range(18))
    png = Picture.of_ppm(b"P6\n3 2\n255\n" + pixels).png()
    assert unpacked(png) == (3, 2, b"\0" + pixels[:9] + b"\0" + pixels[9:])


@pytest.mark.parametrize(
    "content", [b"", b"P6\n3 2\n255\n", b"P6\n3 2\n255\nxx", b"P5\n1 1\n255\nabc", b"P6\n0 0\n255\n"]
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="picture"):
        Picture.of_ppm(content)


def test_a_large_picture_is_shown_at_half_its_size_until_it_is_small_enough() -> None:
    noise = Picture(801, 481, random.Random(1).randbytes(801 * 481 * 3))
    png = noise.png()
    width, height, rows = unpacked(png)
    assert len(png) <= LARGEST
    assert (width, height) == (101, 61), "three times"
    assert rows[1:4] == noise.pixels[:3]
    assert rows[4:7] == noise.pixels[24:27], "the ninth pixel stands beside the first"
    assert rows[-3:] == noise.pixels[-3:]
    assert len(screen(1).png()) < LARGEST
    assert unpacked(screen(1).png())[0] == 800, "a screen of text stays as it is"


@pytest.mark.parametrize("ground", [b"\0\0\0", b"\x10\x20\xa0"])
@pytest.mark.parametrize(
    ("lines", "seen"),
    [(range(0), False), (range(14, 16), False), (range(232, 232 + LINE), False), (range(16, 48), True)],
    ids=["one colour", "a cursor", "one line", "two lines"],
)
def test_one_colour_a_cursor_and_one_line_are_no_evidence(ground: bytes, lines: range, seen: bool) -> None:
    plain, lit = ground * 640, ground * 8 + b"\xff" * 24 + ground * 624
    rows = [lit if number in lines else plain for number in range(480)]
    assert Picture(640, 480, b"".join(rows)).shows_something is seen


@pytest.mark.parametrize("gone", [True, False])
def test_a_machine_without_a_screen_or_that_has_ended_has_no_picture(tmp_path: Path, gone: bool) -> None:
    def execute(command: str, arguments: dict[str, str], **_: float) -> None:
        assert command == "screendump"
        Path(arguments["filename"]).write_bytes(b"half a picture")
        if gone:
            raise QemuFailed("there is no console to take a screendump from")

    machine: Any = SimpleNamespace(execute=execute)
    assert picture(machine, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")
@pytest.mark.parametrize("device", ["VGA", ""])
def test_a_real_machine_shows_what_its_firmware_wrote(run_dir: RunDir, tmp_path: Path, device: str) -> None:
    disk = tmp_path / "disk.img"
    disk.write_bytes(boot_sector(IDLES).ljust(1 << 20, b"\0"))
    equipment = replace(SMALL, qemu_args=("-device", device) if device else ())
    # Without graphics=off SeaBIOS writes to the screen.
    pc = replace(board("pc-bios"), machine="pc-q35-9.0")
    consoles: list[Any] = []
    overlay = DiskOverlay.create(disk, run_dir.folder("disk", bulky=True))
    machine = machine_of(pc, overlay, run_dir, equipment=equipment, on_console=consoles.append)
    machine.start()
    with consoles[0] as console:
        console.settimeout(SAYS_R_WITHIN)
        assert console.recv(1) == b"R", "the guest has begun, after all that SeaBIOS had to say"
        shown = picture(machine, tmp_path)
        machine.stop()
    assert [path.name for path in tmp_path.iterdir() if "screen" in path.name] == []
    if not device:
        assert shown is None
        return
    assert shown is not None
    assert shown.shows_something
    assert picture(machine, tmp_path) is None, "it has ended"


@pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")
def test_what_qemu_writes_on_a_display_that_nobody_drives_is_no_evidence(run_dir: RunDir, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(1 << 20))
    overlay = DiskOverlay.create(disk, run_dir.folder("disk", bulky=True))
    display = board("pc-bios").display
    assert display is not None
    equipment = replace(SMALL, qemu_args=("-device", display.device))
    machine = machine_of("pc-bios", overlay, run_dir, equipment=equipment)
    machine.start_paused()
    shown = picture(machine, tmp_path)
    machine.stop()
    assert shown is not None
    assert len(set(zip(*[iter(shown.pixels)] * 3, strict=True))) > 1, "it writes that the display is not active"
    assert not shown.shows_something
