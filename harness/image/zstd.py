"""zstd, which Python has in its library from 3.14 on."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO, cast

_FRAME, _SKIPPABLE = 0xFD2FB528, 0x184D2A50
_RLE = 1


def zstd_reader(source: BinaryIO) -> BinaryIO:
    """A stream of the unpacked bytes of a file; reading damaged ones, or one that is cut off, raises OSError."""
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdFile

        return cast("BinaryIO", _Careful(ZstdFile(source)))
    import zstandard

    reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
    return cast("BinaryIO", _Careful(cast("BinaryIO", reader), source))


def zstd_writer(dest: BinaryIO, *, level: int) -> BinaryIO:
    """A stream that packs what is written to it, with a checksum; closing it leaves ``dest`` open."""
    if sys.version_info >= (3, 14):
        from compression.zstd import CompressionParameter, ZstdFile

        options = {CompressionParameter.compression_level: level, CompressionParameter.checksum_flag: 1}
        return cast("BinaryIO", ZstdFile(dest, "w", options=options))
    import zstandard

    packer = zstandard.ZstdCompressor(level=level, write_checksum=True)
    return cast("BinaryIO", packer.stream_writer(dest, closefd=False))


class _Careful:
    """Makes one kind of error out of those that the libraries raise.

    Of a ``source`` it looks itself whether the end is the end: zstandard says nothing of a file that is cut off.
    """

    def __init__(self, reader: BinaryIO, source: BinaryIO | None = None) -> None:
        self._reader = reader
        self._source = source
        self._start = source.tell() if source is not None else 0

    def read(self, size: int = -1) -> bytes:
        try:
            found = self._reader.read(size)
        except EOFError as error:
            raise OSError("the zstd stream is cut off") from error
        except Exception as error:  # zstandard.ZstdError, compression.zstd.ZstdError
            if type(error).__name__ == "ZstdError":
                raise OSError(str(error)) from error
            raise
        if not found and size and self._source is not None and not _is_whole(self._source, self._start):
            raise OSError("the zstd stream is cut off")
        return found


def _is_whole(source: BinaryIO, start: int) -> bool:
    """Whether the frames from ``start`` on end before the file does (RFC 8878, section 3.1)."""
    end = source.seek(0, os.SEEK_END)
    at = start
    while at < end:
        at = _frame_end(source, at, end)
    return at == end


def _frame_end(source: BinaryIO, at: int, end: int) -> int:
    """Where the frame at this place ends; beyond the ``end`` of a file that has only a part of it."""

    def number(size: int) -> int:
        nonlocal at
        source.seek(at)
        at += size
        return int.from_bytes(source.read(size), "little")

    magic = number(4)
    if magic & ~0xF == _SKIPPABLE:
        size = number(4)
        return at + size
    described = number(1) if magic == _FRAME else 0
    is_single = described >> 5 & 1
    at += (1 - is_single) + (0, 1, 2, 4)[described & 3] + (is_single, 2, 4, 8)[described >> 6]
    is_last = 0
    while not is_last:
        block = number(3)
        if at > end:
            return at
        is_last = block & 1
        at += 1 if block >> 1 & 3 == _RLE else block >> 3
    return at + 4 * (described >> 2 & 1)
