"""Digests of files that are mostly zeros."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from harness.image.extents import data_of

BLOCK = 64 * 1024
_CHUNK = 16 * BLOCK


def content_digest(path: Path) -> str:
    """What identifies a file by its content: SHA-256 over its size, and the blocks of it that are not all zero.

    Holes are neither read nor hashed, and a copy without holes has the same digest. It is not what ``sha256sum``
    prints: a disk of 16 GiB would take half a minute for its zeros alone.
    """
    zeros = bytes(BLOCK)
    with path.open("rb", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        state = hashlib.sha256(b"size and blocks of %d bytes\0%d\0" % (BLOCK, size))
        done = 0
        for start, end in data_of(file.fileno(), size):
            # Whole blocks: where holes begin and end is no property of the content.
            offset = max(done, start // BLOCK * BLOCK)
            done = min(-(-end // BLOCK) * BLOCK, size)
            file.seek(offset)
            while offset < done:
                chunk = memoryview(_exactly(file, min(_CHUNK, done - offset)))
                for at in range(0, len(chunk), BLOCK):
                    block = chunk[at : at + BLOCK]
                    if block != zeros[: len(block)]:
                        state.update(b"%d\0" % ((offset + at) // BLOCK))
                        state.update(block)
                offset += len(chunk)
    return state.hexdigest()


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    while len(data) < size:
        more = file.read(size - len(data))
        if not more:
            raise OSError(f"{file.name} became shorter while it was read")
        data += more
    return data


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hex, as ``sha256sum`` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
