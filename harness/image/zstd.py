"""zstd, which Python has in its library from 3.14 on."""

from __future__ import annotations

import sys
from typing import BinaryIO, cast


def zstd_reader(source: BinaryIO) -> BinaryIO:
    """A stream of the unpacked bytes; reading damaged ones raises OSError."""
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdFile

        return cast("BinaryIO", _Careful(ZstdFile(source)))
    import zstandard

    reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
    return cast("BinaryIO", _Careful(cast("BinaryIO", reader)))


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
    """Makes one kind of error out of those that the libraries raise."""

    def __init__(self, reader: BinaryIO) -> None:
        self._reader = reader

    def read(self, size: int = -1) -> bytes:
        try:
            return self._reader.read(size)
        except EOFError as error:
            raise OSError("the zstd stream is cut off") from error
        except Exception as error:  # zstandard.ZstdError, compression.zstd.ZstdError
            if type(error).__name__ == "ZstdError":
                raise OSError(str(error)) from error
            raise
