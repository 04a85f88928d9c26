"""Reading a FAT volume (12, 16 or 32 bits) as a firmware does: any damage is one ImageError that says where."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from harness.errors import ImageError
from harness.image.model import Extent
from harness.image.source import ByteSource, BytesSource, FileSource

_ENTRY = 32
_ATTR_LABEL = 0x08
_ATTR_DIRECTORY = 0x10
_ATTR_LONG_NAME = 0x0F
_MOST_ENTRIES = 65536
_LONGEST_FAT = 64 << 20
"""Bytes: a FAT for more than this is no boot partition but a damaged one."""


@dataclass(frozen=True)
class _Entry:
    path: str
    directory: bool
    cluster: int
    size: int


@dataclass(frozen=True)
class _Geometry:
    cluster_bytes: int
    fat_offset: int
    fat_bytes: int
    root_offset: int
    root_bytes: int
    root_cluster: int
    data_offset: int
    clusters: int
    bits: int


class FatVolume:
    """A FAT volume, read on demand; names are compared without regard to case.

    Every method raises ImageError when the volume is damaged, and no other exception.
    """

    def __init__(self, source: ByteSource, *, where: str = "boot file system") -> None:
        self._source = source
        self._where = where
        self._geometry = self._read_geometry()
        self._fat = self._read_fat()

    @classmethod
    def open(cls, data: bytes | Path | ByteSource, *, offset: int = 0, size: int | None = None) -> FatVolume:
        """Open a volume in memory, in a file at ``offset`` (bytes), or in anything that has ``read_at``."""
        if isinstance(data, Path):
            return cls(FileSource(data, offset, size), where=f"{data}, FAT volume at byte {offset}")
        if isinstance(data, bytes):
            return cls(BytesSource(data[offset : None if size is None else offset + size]))
        return cls(data)

    def files(self) -> list[str]:
        """The paths of all files, without a leading slash, in the order in which they lie in their directories."""
        return [entry.path for entry in self._entries.values() if not entry.directory]

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        entry = self._entries.get(_key(name))
        return entry is not None and not entry.directory

    def read(self, name: str) -> bytes:
        """The content of a file."""
        entry = self._file(name)
        data = b"".join(
            self._exactly(run.offset, run.size, f"the content of {entry.path}") for run in self._runs(entry)
        )
        return data[: entry.size]

    def extent(self, name: str) -> Extent:
        """Where a file lies in the volume; ImageError also when it is not in one piece."""
        entry = self._file(name)
        runs = self._runs(entry)
        if len(runs) > 1:
            raise self._damaged(f"{entry.path} lies in {len(runs)} pieces, but gokrazy needs it in one")
        return Extent(runs[0].offset if runs else self._geometry.data_offset, entry.size)

    @property
    def used_bytes(self) -> int:
        """The length of the volume up to the end of its last used cluster."""
        for number in range(len(self._fat) - 1, 1, -1):
            if self._fat[number]:
                return self._geometry.data_offset + (number - 1) * self._geometry.cluster_bytes
        return self._geometry.data_offset

    @cached_property
    def _entries(self) -> dict[str, _Entry]:
        geometry = self._geometry
        found: dict[str, _Entry] = {}
        if geometry.bits == 32:
            table = self._directory_table(geometry.root_cluster, "/")
        else:
            table = self._exactly(geometry.root_offset, geometry.root_bytes, "the root directory")
        pending = [("", table)]
        seen = {geometry.root_cluster} if geometry.bits == 32 else set()
        while pending:
            prefix, table = pending.pop(0)
            for entry in self._parse_table(prefix, table):
                if len(found) >= _MOST_ENTRIES:
                    raise self._damaged(f"its directories hold more than {_MOST_ENTRIES} entries")
                found.setdefault(_key(entry.path), entry)
                if entry.directory:
                    if entry.cluster in seen:
                        raise self._damaged(f"the directory {entry.path} is reached twice: a loop")
                    seen.add(entry.cluster)
                    pending.append((entry.path + "/", self._directory_table(entry.cluster, entry.path)))
        return found

    def _parse_table(self, prefix: str, table: bytes) -> Iterator[_Entry]:
        long_parts: dict[int, bytes] = {}
        checksum = -1
        for start in range(0, len(table) - _ENTRY + 1, _ENTRY):
            raw = table[start : start + _ENTRY]
            if raw[0] == 0:
                return
            attributes = raw[11]
            if raw[0] == 0xE5:
                long_parts.clear()
            elif attributes & 0x3F == _ATTR_LONG_NAME:
                if raw[0] & 0x40:
                    long_parts.clear()
                long_parts[raw[0] & 0x3F] = raw[1:11] + raw[14:26] + raw[28:32]
                checksum = raw[13]
            else:
                name = _long_name(long_parts) if checksum == _checksum(raw[:11]) else ""
                long_parts.clear()
                checksum = -1
                if attributes & _ATTR_LABEL or raw[:2] in (b". ", b".."):
                    continue
                high, low = struct.unpack_from("<H", raw, 20)[0], struct.unpack_from("<H", raw, 26)[0]
                yield _Entry(
                    prefix + (name or _short_name(raw)),
                    bool(attributes & _ATTR_DIRECTORY),
                    low | (high << 16 if self._geometry.bits == 32 else 0),
                    struct.unpack_from("<I", raw, 28)[0],
                )

    def _directory_table(self, cluster: int, path: str) -> bytes:
        chain = self._chain(cluster, f"the directory {path}")
        if len(chain) * self._geometry.cluster_bytes > _MOST_ENTRIES * _ENTRY:
            raise self._damaged(f"the directory {path} is longer than any directory can be")
        return b"".join(
            self._exactly(self._place(number), self._geometry.cluster_bytes, f"the directory {path}")
            for number in chain
        )

    def _file(self, name: str) -> _Entry:
        entry = self._entries.get(_key(name))
        if entry is None or entry.directory:
            raise ImageError(
                f"There is no file {name} in the boot file system.",
                where=self._where,
                hint="Check that this is a complete gokrazy image for the board; it holds: "
                + (", ".join(self.files()[:12]) or "nothing"),
            )
        return entry

    def _runs(self, entry: _Entry) -> list[Extent]:
        """The contiguous stretches that hold a file's clusters, as far as its size needs them."""
        if entry.size == 0:
            return []
        size = self._geometry.cluster_bytes
        chain = self._chain(entry.cluster, entry.path)
        needed = -(-entry.size // size)
        if len(chain) < needed:
            raise self._damaged(f"{entry.path} says it has {entry.size} bytes, but has only {len(chain) * size}")
        breaks = [at for at in range(1, needed) if chain[at] != chain[at - 1] + 1]
        runs = [
            Extent(self._place(chain[begin]), (end - begin) * size)
            for begin, end in pairwise([0, *breaks, needed])
        ]
        # The last cluster may be cut where the volume's file ends, as long as the file's own bytes are there.
        last = runs[-1]
        runs[-1] = Extent(last.offset, last.size - (needed * size - entry.size))
        return runs

    def _chain(self, first: int, what: str) -> list[int]:
        chain: list[int] = []
        seen: set[int] = set()
        number = first
        end = {12: 0xFF8, 16: 0xFFF8, 32: 0xFFFFFF8}[self._geometry.bits]
        while number < end:
            if not 2 <= number < self._geometry.clusters + 2:
                raise self._damaged(f"{what} leads to cluster {number}, which the volume does not have")
            if number in seen:
                raise self._damaged(f"the cluster chain of {what} runs in a loop at cluster {number}")
            seen.add(number)
            chain.append(number)
            number = self._fat[number]
        return chain

    def _place(self, cluster: int) -> int:
        return self._geometry.data_offset + (cluster - 2) * self._geometry.cluster_bytes

    def _exactly(self, offset: int, size: int, what: str) -> bytes:
        data = self._source.read_at(offset, size)
        if len(data) != size:
            raise self._damaged(f"it ends at byte {offset + len(data)}, in the middle of {what}", truncated=True)
        return data

    def _read_geometry(self) -> _Geometry:
        sector = self._exactly(0, 512, "the boot sector")
        if sector[510:] != b"\x55\xaa":
            raise self._damaged("its first sector is no boot sector (it does not end in 55 AA)")
        sector_size, per_cluster, reserved, copies, root_entries, total16 = struct.unpack_from(
            "<HBHBHH", sector, 11
        )
        fat16 = struct.unpack_from("<H", sector, 22)[0]
        total32, fat32, _, root_cluster = struct.unpack_from("<IIII", sector, 32)
        total, fat_sectors = total16 or total32, fat16 or fat32
        if sector_size not in (512, 1024, 2048, 4096) or per_cluster not in (1, 2, 4, 8, 16, 32, 64, 128):
            raise self._damaged(f"it says {sector_size} bytes a sector and {per_cluster} sectors a cluster")
        if not (reserved and copies and total and fat_sectors):
            raise self._damaged("its boot sector leaves out the number of sectors or the allocation table")
        root_sectors = -(-root_entries * _ENTRY // sector_size)
        data_sector = reserved + copies * fat_sectors + root_sectors
        clusters = (total - data_sector) // per_cluster
        if clusters < 1:
            raise self._damaged("its allocation table is larger than the volume")
        bits = 12 if clusters < 4085 else 16 if clusters < 65525 else 32
        if (bits == 32) != (fat16 == 0):
            raise self._damaged(f"its {clusters} clusters do not go with the kind of its allocation table")
        return _Geometry(
            cluster_bytes=sector_size * per_cluster,
            fat_offset=reserved * sector_size,
            fat_bytes=fat_sectors * sector_size,
            root_offset=(reserved + copies * fat_sectors) * sector_size,
            root_bytes=root_entries * _ENTRY,
            root_cluster=root_cluster,
            data_offset=data_sector * sector_size,
            clusters=clusters,
            bits=bits,
        )

    def _read_fat(self) -> list[int]:
        geometry = self._geometry
        count = geometry.clusters + 2
        size = -(-count * geometry.bits // 8)
        if size > geometry.fat_bytes:
            raise self._damaged("its allocation table is too short for its clusters")
        if size > _LONGEST_FAT:
            raise self._damaged(f"its allocation table would have {size} bytes")
        table = self._exactly(geometry.fat_offset, size, "the allocation table")
        if geometry.bits == 16:
            return list(struct.unpack(f"<{count}H", table))
        if geometry.bits == 32:
            return [entry & 0x0FFFFFFF for entry in struct.unpack(f"<{count}I", table)]
        padded = table + b"\0"
        pairs = (padded[number * 3 // 2] | padded[number * 3 // 2 + 1] << 8 for number in range(count))
        return [pair >> 4 if number & 1 else pair & 0xFFF for number, pair in enumerate(pairs)]

    def _damaged(self, what: str, *, truncated: bool = False) -> ImageError:
        return ImageError(
            f"The boot file system (FAT) cannot be read: {what}.",
            where=self._where,
            hint="Copy or download the image again: it is cut off." if truncated else "Write the image again.",
        )


def _key(name: str) -> str:
    return name.strip("/").upper()


def _checksum(short: bytes) -> int:
    value = 0
    for byte in short:
        value = (((value & 1) << 7) + (value >> 1) + byte) & 0xFF
    return value


def _long_name(parts: dict[int, bytes]) -> str:
    if not parts or sorted(parts) != list(range(1, len(parts) + 1)):
        return ""
    text = b"".join(parts[number] for number in sorted(parts)).decode("utf-16-le", errors="replace")
    return text.split("\0", 1)[0].replace("/", "_")


def _short_name(raw: bytes) -> str:
    """The 8.3 name; bits 3 and 4 of byte 12 say that Windows and Linux show stem or extension in lower case."""
    stem = raw[:8].decode("cp437").rstrip().replace("/", "_")
    extension = raw[8:11].decode("cp437").rstrip().replace("/", "_")
    stem = stem.lower() if raw[12] & 0x08 else stem
    extension = extension.lower() if raw[12] & 0x10 else extension
    return f"{stem}.{extension}" if extension else stem
