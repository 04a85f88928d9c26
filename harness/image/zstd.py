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
