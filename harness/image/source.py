"""Where bytes come from when an image is read: memory, a stretch of a file, or a disk that QEMU keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from harness.errors import ImageError


class ByteSource(Protocol):
    """Something that can be read at any place."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer only where the source ends."""
        ...


class BytesSource:
    """Bytes in memory."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = memoryview(data)

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``."""
        return bytes(self._data[offset : offset + size])


class FileSource:
    """A stretch of a file, opened anew for each read so that nothing stays open."""

    def __init__(self, path: Path, offset: int = 0, size: int | None = None) -> None:
        self.path = path
        self.offset = offset
        try:
            rest = max(0, path.stat().st_size - offset)
        except OSError as error:
            raise _unreadable(path, error) from error
        self.size = rest if size is None else min(size, rest)

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``, counted from the start of the stretch; raises ImageError."""
        size = min(size, self.size - offset)
        if size <= 0:
            return b""
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset + offset)
                return file.read(size)
        except OSError as error:
            raise _unreadable(self.path, error) from error


def _unreadable(path: Path, error: OSError) -> ImageError:
    return ImageError(
        f"The file cannot be read: {error.strerror or error}.",
        where=str(path),
        hint="Check the path and its permissions.",
    )
