"""Screen: what a machine's display shows, as a picture that a report can have in it."""

from __future__ import annotations

import re
import struct
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from harness.errors import QemuFailed
from harness.machine.machine import Machine

LIMIT = 5.0
"""Seconds that QEMU has to write the picture."""
LARGEST = 60_000
"""Bytes of a picture as PNG. A screen of text has some 15000; what has more is shown at half its size."""
LINE = 16
"""Pixels that a line of text is high. QEMU writes one by itself where a display is not driven."""
_PPM = re.compile(rb"P6\s+(\d+)\s+(\d+)\s+255\s")


@dataclass(frozen=True)
class Picture:
    """What a screen showed."""

    width: int
    height: int
    pixels: bytes
    """Row by row from the top, each from the left; red, green and blue of each pixel are a byte."""

    @classmethod
    def of_ppm(cls, content: bytes) -> Picture:
        """A picture as QEMU writes it (PPM, 8 bits a colour); raises ValueError."""
        head = _PPM.match(content)
        if head is None:
            raise ValueError("this is no picture in PPM")
        width, height = int(head[1]), int(head[2])
        pixels = content[head.end() :]
        if not pixels or len(pixels) != 3 * width * height:
            raise ValueError(f"a picture of {width} by {height} pixels has not {len(pixels)} bytes")
        return cls(width, height, pixels)

    @property
    def shows_something(self) -> bool:
        """Whether there is more on it than a ground with a cursor, or with one line of text."""
        row = 3 * self.width
        rows = [self.pixels[at : at + row] for at in range(0, len(self.pixels), row)]
        ground = Counter(rows).most_common(1)[0][0]
        used = [number for number, one in enumerate(rows) if one != ground]
        return bool(used) and used[-1] - used[0] >= LINE

    def pixel(self, x: int, y: int) -> tuple[int, int, int]:
        """Red, green and blue of one, counted from the upper left; each from 0 to 255."""
        at = 3 * (y * self.width + x)
        red, green, blue = self.pixels[at : at + 3]
        return red, green, blue

    def half(self) -> Picture:
        """Each second pixel of each second row."""
        row = 3 * self.width
        width = (self.width + 1) // 2
        pixels = bytearray()
        for at in range(0, len(self.pixels), 2 * row):
            line = bytearray(3 * width)
            for colour in range(3):
                line[colour::3] = self.pixels[at + colour : at + row : 6]
            pixels += line
        return Picture(width, (self.height + 1) // 2, bytes(pixels))

    def png(self) -> bytes:
        """The picture as a PNG file of at most ``LARGEST`` bytes, at half its size where it must be."""
        row = 3 * self.width
        # Before each row stands how it is filtered: not at all.
        rows = b"".join(b"\0" + self.pixels[at : at + row] for at in range(0, len(self.pixels), row))
        head = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        parts = (b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")
        made = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)
        return made if len(made) <= LARGEST or self.width < 2 else self.half().png()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def picture(machine: Machine, folder: Path) -> Picture | None:
    """What the machine's screen shows now; None where it has no screen, or has ended.

    QEMU writes a file into ``folder`` for it, which is removed.
    """
    path = folder / "screen.ppm"
    try:
        machine.execute("screendump", {"filename": str(path)}, timeout=LIMIT)
        return Picture.of_ppm(path.read_bytes())
    except (QemuFailed, OSError, ValueError):
        return None
    finally:
        path.unlink(missing_ok=True)
