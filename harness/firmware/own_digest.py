"""A digest of the harness's own firmware: of the code that decides what a guest finds when its kernel starts.

A snapshot has a device tree and a command line in its memory that this code has made. Another version of the code,
such as one with another quirk, makes another machine.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

BYTECODE = "__pycache__"
"""Where Python keeps what it compiled, which changes nothing."""


@functools.cache
def own_digest() -> str:
    """SHA-256 over all files of ``harness/firmware``, read once a process: what runs does not change in it."""
    return code_digest(Path(__file__).parent)


def code_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all files below a folder, compiled ones aside."""
    digest = hashlib.sha256()
    files = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != BYTECODE)
    for name, path in sorted((path.relative_to(folder).as_posix(), path) for path in files):
        # A name ends with a zero byte, and each content has the same length: no two folders read alike.
        digest.update(name.encode(errors="surrogateescape") + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
