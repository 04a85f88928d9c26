"""Every byte of the console with its time, in two files that survive power cycles.

``console.log``    the bytes as they came
``console.jsonl``  one object a line: ``{"t": seconds since power-on, "at": offset, "n": bytes}`` for a chunk,
                   ``{"mark": text, "t": seconds, "at": offset}`` for a power-on, a reset, a restored machine
"""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.console.lines import Line, LineSplitter
from harness.errors import DISK_FULL, HostDiskFull, ImageError

LOG = "console.log"
INDEX = "console.jsonl"

_SAME_MOMENT = 0.001
"""Seconds; chunks closer than this share an entry of the index."""


class Recording:
    """The append-only log of one console. Not thread-safe: its owner holds a lock."""

    def __init__(self, folder: Path, *, clock: Callable[[], float]) -> None:
        """Open or continue the recording in ``folder``; ``clock`` counts seconds and never goes back."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._clock = clock
        self._zeros = [(-1, clock())]
        """Offset and clock of each power-on."""
        flags = os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._log = os.open(folder / LOG, flags | os.O_RDWR, 0o644)
        self._index = os.open(folder / INDEX, flags | os.O_WRONLY, 0o644)
        self.size = os.fstat(self._log).st_size
        """Bytes recorded so far."""
        self._entry: tuple[float, int] | None = None

    def seconds(self) -> float:
        """Seconds since the last power-on."""
        return self._clock() - self._zeros[-1][1]

    def power_on_before(self, offset: int) -> float:
        """What the clock said at the last power-on before the byte that ends at this offset came."""
        return self._zeros[bisect_left(self._zeros, (offset,)) - 1][1]

    def append(self, data: bytes) -> float:
        """Record these bytes as having come now; returns the seconds since power-on.

        Raises HostDiskFull.
        """
        at = self.seconds()
        if self._entry is None or at - self._entry[0] > _SAME_MOMENT:
            self._flush_entry()
            self._entry = (at, self.size)
        self._write(self._log, data)
        self.size += len(data)
        return at

    def mark(self, text: str, *, zero: bool) -> float:
        """Note an event between two bytes; ``zero`` makes it the new power-on. Returns its seconds."""
        self._flush_entry()
        if zero:
            self._zeros.append((self.size, self._clock()))
        at = 0.0 if zero else self.seconds()
        self._write_index({"mark": text, "t": round(at, 4), "at": self.size})
        return at

    def read(self, offset: int, size: int = -1) -> bytes:
        """Return recorded bytes from ``offset`` on, all of them or at most ``size``."""
        wanted = self.size - offset if size < 0 else min(size, self.size - offset)
        return os.pread(self._log, wanted, offset) if wanted > 0 else b""

    def close(self) -> None:
        """Write what is pending and close the files; a second call does nothing."""
        if self._log < 0:
            return
        try:
            self._flush_entry()
        finally:
            os.close(self._log)
            os.close(self._index)
            self._log = self._index = -1

    def flush(self) -> None:
        """Make the index complete up to the last byte."""
        self._flush_entry()

    def _flush_entry(self) -> None:
        if self._entry is None:
            return
        at, offset = self._entry
        self._entry = None
        self._write_index({"t": round(at, 4), "at": offset, "n": self.size - offset})

    def _write_index(self, entry: dict[str, object]) -> None:
        self._write(self._index, json.dumps(entry, separators=(",", ":")).encode() + b"\n")

    def _write(self, file: int, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(file, view) :]
        except OSError as error:
            if error.errno in DISK_FULL:
                raise HostDiskFull(
                    "no room to record the console", where=str(self.folder), hint="free some space there"
                ) from error
            raise


def read_recording(folder: Path) -> Iterator[Line]:
    """Return the recording in a folder as lines with times, marks included; raises ImageError if it is none."""
    try:
        data = (folder / LOG).read_bytes()
        entries = [json.loads(line) for line in (folder / INDEX).read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise ImageError(f"this is no console recording: {error}", where=str(folder)) from error
    splitter = LineSplitter()
    end, at = 0, 0.0
    for entry in entries:
        offset = int(entry["at"])
        if "mark" in entry:
            yield from splitter.close(offset=offset, at=at)
            at = float(entry["t"])
            yield Line(at, offset, str(entry["mark"]), mark=True)
        else:
            at, end = float(entry["t"]), offset + int(entry["n"])
            yield from splitter.feed(data[offset:end], offset=offset, at=at)
    # A run that was killed leaves its last entry unwritten, never its bytes.
    yield from splitter.feed(data[end:], offset=end, at=at)
    yield from splitter.close(offset=len(data), at=at)
