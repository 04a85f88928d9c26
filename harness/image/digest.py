"""The digest that identifies an image."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

_CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hex; holes are not read but counted as the zeros that they are, which saves seconds."""
    state = hashlib.sha256()
    zeros = memoryview(bytes(_CHUNK))
    with path.open("rb", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        offset = 0
        for start, end in _data(file.fileno(), size):
            _zeros(state, zeros, start - offset)
            file.seek(start)
            left = end - start
            while left and (chunk := file.read(min(_CHUNK, left))):
                state.update(chunk)
                left -= len(chunk)
            offset = end
        _zeros(state, zeros, size - offset)
    return state.hexdigest()


def _zeros(state: hashlib._Hash, zeros: memoryview, count: int) -> None:
    while count > 0:
        state.update(zeros[:count])
        count -= len(zeros)


def _data(file: int, size: int) -> Iterator[tuple[int, int]]:
    """The stretches of a file that are not holes; the whole file where the file system does not tell."""
    offset = 0
    while offset < size:
        try:
            start = os.lseek(file, offset, os.SEEK_DATA)
            end = os.lseek(file, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            yield offset, size
            return
        yield start, end
        offset = end
