"""Which Linux a kernel file is, read from the file itself."""

from __future__ import annotations

import io
import lzma
import re
import struct
import zlib

from harness.image.zstd import zstd_reader

_BANNER = re.compile(rb"Linux version (\S+) \(")
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


def kernel_architecture(kernel: bytes) -> str | None:
    """GOARCH of a kernel file (bzImage or arm64 Image, also compressed); None when it is neither."""
    if kernel[0x202:0x206] == b"HdrS":
        return "amd64"
    if _unpacked(kernel)[56:60] == b"ARM\x64":
        return "arm64"
    return None


def kernel_arch(head: bytes) -> str:
    """The GOARCH of a kernel by its first KiB (Documentation/arch of the kernel: boot headers), or ""."""
    if head[0x38:0x3C] == b"ARMd":
        return "arm64"
    if head[0x24:0x28] == b"\x18\x28\x6f\x01":
        return "arm"
    if head[0x1FE:0x200] == b"\x55\xaa" and len(head) > 0x236:
        return "amd64" if head[0x236] & 1 else "386"
    return ""


def _unpacked(kernel: bytes) -> bytes:
    """An arm64 Image out of gzip or an EFI zboot wrapper; other bytes as they are, nothing if damaged."""
    try:
        if kernel[:2] == b"\x1f\x8b":
            return zlib.decompressobj(47).decompress(kernel, _MOST_BYTES)
        if kernel[:2] == b"MZ" and kernel[4:8] == b"zimg":
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
