"""Reading a disk where its bytes lie: QEMU says once which file holds what, and nothing is copied."""

from __future__ import annotations

import bisect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import InternalError, QemuFailed
from harness.image.model import Extent


@dataclass(frozen=True)
class Stretch:
    """A part of the disk that lies in one piece: in ``path`` at ``at``, or nowhere when it is all zeroes."""

    start: int
    """Bytes from the start of the disk."""
    size: int
    path: Path | None
    at: int = 0


class MappedDisk:
    """An extent of a disk that is off, as a ``harness.image.source.ByteSource``; offsets count from its start."""

    def __init__(self, extent: Extent, stretches: Sequence[Stretch], *, may_read: Callable[[], None]) -> None:
        self._extent = extent
        self._stretches = sorted(stretches, key=lambda stretch: stretch.start)
        self._starts = [stretch.start for stretch in self._stretches]
        self._may_read = may_read

    def data(self) -> Iterator[tuple[int, int]]:
        """Where the extent is not known to be all zeroes: offsets from its start, and sizes."""
        for stretch in self._stretches:
            start = max(stretch.start, self._extent.offset)
            end = min(stretch.start + stretch.size, self._extent.offset + self._extent.size)
            if stretch.path is not None and start < end:
                yield start - self._extent.offset, end - start

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; raises InternalError once a machine uses the disk, QemuFailed."""
        self._may_read()
        place = self._extent.offset + offset
        end = min(place + size, self._extent.offset + self._extent.size)
        parts: list[bytes] = []
        index = max(0, bisect.bisect_right(self._starts, place) - 1)
        while place < end:
            stretch = self._stretches[index]
            skip = place - stretch.start
            take = min(stretch.size - skip, end - place)
            parts.append(_read(stretch, skip, take))
            place += take
            index += 1
        return parts[0] if len(parts) == 1 else b"".join(parts)


def stretches(said: str, chain: Sequence[Path]) -> list[Stretch]:
    """What ``qemu-img map --output=json`` said of a disk whose files, from the top down, are ``chain``."""
    found: list[Stretch] = []
    entries: list[Mapping[str, Any]] = json.loads(said)
    for entry in entries:
        if entry["zero"] or not entry["data"]:
            found.append(Stretch(entry["start"], entry["length"], None))
        elif entry.get("compressed") or "offset" not in entry:
            raise InternalError("a disk that cannot be read in place: it is compressed", where=str(chain[0]))
        else:
            found.append(Stretch(entry["start"], entry["length"], chain[entry["depth"]], entry["offset"]))
    return found


def _read(stretch: Stretch, skip: int, size: int) -> bytes:
    if stretch.path is None:
        return bytes(size)
    try:
        with stretch.path.open("rb", buffering=0) as file:
            file.seek(stretch.at + skip)
            data = file.read(size)
    except OSError as error:
        raise QemuFailed(
            f"cannot read the disk of the appliance: {error.strerror}", where=str(stretch.path)
        ) from error
    # A raw file may end in the middle of the last stretch: the rest of that stretch is zeroes.
    return data + bytes(size - len(data))
