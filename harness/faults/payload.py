"""Damage to an upload on its way: each takes the chunks that were to be sent and gives what goes out instead."""

from __future__ import annotations

from collections.abc import Iterator


def flip_one_bit(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Flip the lowest bit of the first byte of the fourth chunk (of the last one, if there are fewer)."""
    held: bytes | None = None
    flipped = False
    for number, chunk in enumerate(chunks):
        if held is not None:
            yield held
        held = chunk
        if number == 3:
            held, flipped = _flipped(chunk), True
    if held is not None:
        yield held if flipped else _flipped(held)


def cut_short(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Let the first four chunks through, and no more."""
    for number, chunk in enumerate(chunks):
        if number == 4:
            return
        yield chunk


def _flipped(chunk: bytes) -> bytes:
    return bytes([chunk[0] ^ 1]) + chunk[1:]
