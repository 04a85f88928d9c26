"""Which Linux a kernel file is, read from the file itself."""

from __future__ import annotations

import io
import lzma
import re
import struct
import zlib

from harness.image.arch import ARCHITECTURES
from harness.image.zstd import zstd_reader

_BANNER = re.compile(rb"Linux version (\S+) \(")
_GZIP, _ZBOOT = (0, b"\x1f\x8b"), (4, b"zimg")
"""Where packed kernels have which bytes: gzip, EFI zboot."""
_NARROW = (("arm", (0x24, b"\x18\x28\x6f\x01")),)
"""32-bit kernels whose magic is no architecture's of ours: the zImage of arm (arch/arm/boot/compressed/head.S)."""
_MOST_BYTES = 256 << 20
"""No kernel is larger than this when it is unpacked."""


def kernel_release(kernel: bytes) -> str:
    """What ``uname -r`` will say: from a bzImage's header or the banner in an Image; "" when it is unknown."""
    if kernel[0x202:0x206] == b"HdrS":
        # https://docs.kernel.org/arch/x86/boot.html: kernel_version points 0x200 short of the string.
        start = struct.unpack_from("<H", kernel, 0x20E)[0] + 0x200
        words = kernel[start : start + 256].split(b"\0", 1)[0].split()
        return words[0].decode(errors="replace") if words else ""
    match = _BANNER.search(_unpacked(kernel))
    return match.group(1).decode(errors="replace") if match else ""


def kernel_arch(kernel: bytes) -> str:
    """GOARCH of a kernel, also of a compressed one, by its first KiB or more; "" when it is none that is known."""
    head = _unpacked(kernel)
    for row in ARCHITECTURES:
        if _has(head, row.kernel_magic):
            at, bit = row.kernel_64bit or (0, 0)
            is_64bit = row.kernel_64bit is None or (len(head) > at and head[at] >> bit & 1)
            return row.name if is_64bit else row.narrow
    return next((name for name, magic in _NARROW if _has(head, magic)), "")


def begins_like_a_kernel(head: bytes) -> bool:
    """Whether these are the first bytes of a kernel for a board, packed or not."""
    magics = (*(row.kernel_magic for row in ARCHITECTURES), _GZIP, _ZBOOT)
    return any(_has(head, magic) for magic in magics)


def is_zipped(head: bytes) -> bool:
    """Whether these are the first bytes of what gzip packed."""
    return _has(head, _GZIP)


def _has(head: bytes, magic: tuple[int, bytes]) -> bool:
    at, wanted = magic
    return head[at : at + len(wanted)] == wanted


def _unpacked(kernel: bytes) -> bytes:
    """An arm64 Image out of gzip or an EFI zboot wrapper; other bytes as they are, nothing if damaged."""
    try:
        if _has(kernel, _GZIP):
            return zlib.decompressobj(47).decompress(kernel, _MOST_BYTES)
        if kernel[:2] == b"MZ" and _has(kernel, _ZBOOT):
            # drivers/firmware/efi/libstub/zboot-header.S: payload offset, size, 8 bytes on the compression's name.
            offset, size = struct.unpack_from("<II", kernel, 8)
            name = kernel[24:32].split(b"\0", 1)[0]
            payload = kernel[offset : offset + size]
            if name.startswith(b"gzip"):
                return zlib.decompressobj(47).decompress(payload, _MOST_BYTES)
            if name.startswith(b"zstd"):
                return zstd_reader(io.BytesIO(payload)).read(_MOST_BYTES)
            if name.startswith((b"xz", b"lzma")):
                return lzma.LZMADecompressor().decompress(payload, _MOST_BYTES)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, struct.error):
        return b""
    return kernel
