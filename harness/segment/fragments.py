"""Fragments: datagrams that are longer than a frame, put together again."""

from __future__ import annotations

UNFINISHED = 64
"""Datagrams that may be waiting for the rest of their frames."""
MORE = 0x2000
"""In the place of a fragment: others follow it."""
OFFSET = 0x1FFF
"""In the place of a fragment: where it begins, in units of 8 bytes."""


class Fragments:
    """What has come of datagrams that are not whole yet."""

    def __init__(self) -> None:
        self._parts: dict[bytes, dict[int, bytes]] = {}

    def whole(self, name: bytes, place: int, part: bytes) -> bytes | None:
        """The datagram that this is the last missing part of, None while others are missing.

        ``name`` is that of the datagram; ``place`` is the word of the header of IPv4 that has flags and offset.
        """
        offset, more = (place & OFFSET) * 8, place & MORE
        if not offset and not more:
            return part
        parts = self._parts.setdefault(name, {})
        parts[offset] = part
        if not more:
            parts[-1] = (offset + len(part)).to_bytes(4)
        if len(self._parts) > UNFINISHED:
            del self._parts[next(iter(self._parts))]
        joined = b"".join(parts[at] for at in sorted(parts) if at >= 0)
        if len(joined) != int.from_bytes(parts.get(-1, b"")):
            return None
        self._parts.pop(name, None)
        return joined
