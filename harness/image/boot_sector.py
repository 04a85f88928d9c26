"""What gokrazy's boot sector (Minimal Linux Bootloader) loads, read from the machine code itself.

The code copies the kernel's protected-mode part to 1 MiB in steps of 127 sectors. It keeps the destination in a
descriptor table, whose base address lies in three places: a word, a byte, and another byte three bytes on. Code
that never carries into the last one counts in 24 bits: at 16 MiB it starts again at 0 and overwrites the BIOS
(gokrazy issue 248, mended on 2024-08-27).
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass

from harness.image.model import SECTOR
from harness.image.source import ByteSource

CODE_BYTES = 432
"""Of the 440 bytes of the boot sector so many are code; two sector numbers follow: vmlinuz, cmdline.txt."""

_ORIGIN = 0x7C00
"""Where a BIOS puts the boot sector: the addresses in the code count from 0."""
# add word [destination], STEP; adc byte [destination+2], 0
_STEP = re.compile(rb"\x81\x06(..)(..)\x80\x16(..)\x00", re.DOTALL)
_CARRY = b"\x80\x16%b\x00"
_FOUR_SECTORS = 4
"""What setup_sects 0 means (Documentation/arch/x86/boot.rst of the kernel)."""
_HEADER = (0x202, b"HdrS")


@dataclass(frozen=True)
class Fit:
    """A kernel and the boot sector that is to load it; all in bytes of the whole vmlinuz."""

    kernel: int
    most: int
    """The largest kernel that the boot sector loads with this one's real-mode part."""

    @property
    def fits(self) -> bool:
        """Whether the boot sector can load the kernel."""
        return self.kernel <= self.most

    @property
    def sizes(self) -> str:
        """Both figures, for a message."""
        return f"vmlinuz has {self.kernel} bytes, and the boot sector loads at most {self.most}"


def most_loaded(code: bytes) -> int | None:
    """Bytes of a kernel's protected-mode part that this boot sector can load; None for code unknown here."""
    match = _STEP.search(code[:CODE_BYTES])
    if match is None:
        return None
    destination, step, second = (struct.unpack("<H", found)[0] for found in match.groups())
    table = destination - _ORIGIN
    if second != destination + 2 or step == 0 or not 0 <= table <= CODE_BYTES - 6:
        return None
    third = _CARRY % struct.pack("<H", destination + 5)
    bits = 32 if code[match.end() :].startswith(third) else 24
    start = int.from_bytes(code[table : table + 3] + code[table + 5 : table + 6], "little")
    # The last step may end beyond what the bits can count, but has to begin below.
    return int(-(-((1 << bits) - start) // step) * step)


def fit_of(sector: bytes, head: bytes) -> Fit | None:
    """How a kernel, by its first KiB, fits the boot sector that is to load it; None where either is unknown."""
    most = most_loaded(sector)
    offset, magic = _HEADER
    if most is None or head[offset : offset + len(magic)] != magic:
        return None
    real_mode = ((head[0x1F1] or _FOUR_SECTORS) + 1) * SECTOR
    (paragraphs,) = struct.unpack_from("<I", head, 0x1F4)
    return Fit(kernel=real_mode + 16 * paragraphs, most=real_mode + most)


def fit_on(disk: ByteSource) -> Fit | None:
    """How the kernel that a disk's boot sector names fits it; None where either is unknown."""
    sector = disk.read_at(0, SECTOR)
    if len(sector) < SECTOR:
        return None
    return fit_of(sector, disk.read_at(kernel_sector(sector) * SECTOR, 2 * SECTOR))


def kernel_sector(sector: bytes) -> int:
    """Where the boot sector looks for vmlinuz: a number of a sector."""
    return int(struct.unpack_from("<I", sector, CODE_BYTES)[0])


def names_a_kernel(disk: ByteSource) -> bool:
    """Whether a kernel begins where a disk's boot sector looks for it."""
    offset, magic = _HEADER
    place = kernel_sector(disk.read_at(0, SECTOR)) * SECTOR
    return disk.read_at(place + offset, len(magic)) == magic


def boot_sector_title(disk: ByteSource) -> str:
    """What a disk's boot sector is, for reports: the digest of its code and what that loads; "" without any."""
    code = disk.read_at(0, CODE_BYTES)
    if not code.strip(b"\0"):
        return ""
    most = most_loaded(code)
    loads = f"loads kernels up to {most} bytes" if most is not None else "unknown code"
    return f"{loads} (sha256:{hashlib.sha256(code).hexdigest()} of its first {CODE_BYTES} bytes)"
