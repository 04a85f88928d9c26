"""Reading the partition table of a disk image, and saying what a file is when it is no gokrazy disk."""

from __future__ import annotations

import re
import struct
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import ImageError
from harness.image.model import SECTOR, Extent, Layout
from harness.image.source import ByteSource, FileSource

GET_DISK = "Write a whole disk with `gok overwrite --full=disk.img --target_storage_bytes=1258299392`."

_MAGICS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1f\x8b", "a gzip file"),
    (0, b"\xfd7zXZ\0", "an xz file"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd file"),
    (0, b"QFI\xfb", "a qcow2 disk"),
    (0, b"PK\x03\x04", "a zip file (or .gaf)"),
    (0, b"hsqs", "a squashfs: a root file system alone"),
    (3, b"gokrazy!", "a FAT volume: a boot file system alone"),
    (54, b"FAT16", "a FAT volume"),
    (82, b"FAT32", "a FAT volume"),
    (0, b"\x7fELF", "a program"),
    (257, b"ustar", "a tar archive"),
    (0x8001, b"CD001", "a CD image"),
)


@dataclass(frozen=True)
class Partition:
    """One entry of a partition table; ``uuid`` is what PARTUUID= names, in lower case."""

    number: int
    extent: Extent
    type: str
    uuid: str
    name: str = ""


@dataclass(frozen=True)
class PartitionTable:
    """A disk's partition table; ``signature`` is the MBR's 32-bit disk signature."""

    kind: Literal["gpt", "mbr"]
    signature: int
    partitions: tuple[Partition, ...]


def read_layout(path: Path) -> Layout:
    """Where boot, root A, root B and perm lie on a gokrazy disk; raises ImageError for anything else."""
    return layout_from(read_table(path), path)


def layout_from(table: PartitionTable, path: Path) -> Layout:
    """The four partitions by their numbers; raises ImageError when one of the first three is missing."""
    found = {partition.number: partition.extent for partition in table.partitions}
    absent = [number for number in (1, 2, 3) if number not in found]
    if absent:
        raise ImageError(
            f"The disk has no partition {absent[0]}; gokrazy needs 1 (boot), 2 and 3 (root A and B).",
            where=str(path),
            hint=GET_DISK,
        )
    return Layout(boot=found[1], root_a=found[2], root_b=found[3], perm=found.get(4))


_SECOND_ROOT = re.compile(r"root=\S*(?:PARTNROFF=2|-0?3|[a-z0-9]3)(?:\s|$)")


def root_in_use(layout: Layout, cmdline: str) -> Extent:
    """The root partition that a kernel command line picks: A unless it says B."""
    return layout.root_b if _SECOND_ROOT.search(cmdline) else layout.root_a


def read_table(path: Path) -> PartitionTable:
    """Read a hybrid or plain GPT, or a bare MBR, and check that the file holds every partition of it."""
    source = FileSource(path)
    sector = source.read_at(0, SECTOR)
    if not sector:
        raise ImageError("The image file is empty.", where=str(path), hint="Copy or download it again.")
    kind = what_is_it(source)
    if kind or len(sector) < SECTOR or sector[510:] != b"\x55\xaa":
        raise ImageError(
            f"This is no disk image: {kind or 'it has no partition table'}.",
            where=str(path),
            hint=GET_DISK,
        )
    signature = struct.unpack_from("<I", sector, 440)[0]
    entries = [sector[446 + 16 * index : 462 + 16 * index] for index in range(4)]
    if any(entry[4] == 0xEE for entry in entries):
        table = PartitionTable("gpt", signature, _read_gpt(source, path))
    else:
        table = PartitionTable("mbr", signature, _read_mbr(entries, signature))
    _check_inside(table, source.size, path)
    return table


def what_is_it(source: ByteSource) -> str:
    """What a file is that is no disk, by its first bytes; "" when it could be a disk."""
    for offset, magic, name in _MAGICS:
        if source.read_at(offset, len(magic)) == magic:
            return name
    return ""


def _read_mbr(entries: list[bytes], signature: int) -> tuple[Partition, ...]:
    found = []
    for number, entry in enumerate(entries, start=1):
        first, sectors = struct.unpack_from("<II", entry, 8)
        if entry[4] and sectors:
            extent = Extent(first * SECTOR, sectors * SECTOR)
            found.append(Partition(number, extent, f"{entry[4]:02x}", f"{signature:08x}-{number:02d}"))
    return tuple(found)


def _read_gpt(source: FileSource, path: Path) -> tuple[Partition, ...]:
    header = source.read_at(SECTOR, SECTOR)
    if header[:8] != b"EFI PART" or len(header) < SECTOR:
        raise _damaged(path, "the MBR announces a GPT, but there is none in sector 1")
    length, checksum = struct.unpack_from("<II", header, 12)
    if not 92 <= length <= SECTOR or zlib.crc32(header[:16] + b"\0\0\0\0" + header[20:length]) != checksum:
        raise _damaged(path, "the checksum of the GPT's header is wrong")
    backup = struct.unpack_from("<Q", header, 32)[0]
    if (backup + 1) * SECTOR > source.size:
        raise ImageError(
            f"The image is cut off: {source.size} bytes, its partition table is for {(backup + 1) * SECTOR}.",
            where=str(path),
            hint="Copy or download it again.",
        )
    start, count, entry_size, entries_checksum = struct.unpack_from("<QIII", header, 72)
    if not (128 <= entry_size <= 4096 and 1 <= count <= 1024):
        raise _damaged(path, f"the GPT has {count} entries of {entry_size} bytes")
    entries = source.read_at(start * SECTOR, count * entry_size)
    if zlib.crc32(entries) != entries_checksum:
        raise _damaged(path, "the checksum of the GPT's entries is wrong")
    found = []
    for index in range(count):
        entry = entries[index * entry_size : (index + 1) * entry_size]
        first, last = struct.unpack_from("<QQ", entry, 32)
        if any(entry[:16]):
            found.append(
                Partition(
                    number=index + 1,
                    extent=Extent(first * SECTOR, (last + 1 - first) * SECTOR),
                    type=str(uuid.UUID(bytes_le=entry[:16])),
                    uuid=str(uuid.UUID(bytes_le=entry[16:32])),
                    name=entry[56:128].decode("utf-16-le", errors="replace").rstrip("\0"),
                )
            )
    return tuple(found)


def _check_inside(table: PartitionTable, size: int, path: Path) -> None:
    for partition in table.partitions:
        extent = partition.extent
        if extent.size <= 0 or extent.offset < SECTOR:
            raise _damaged(path, f"partition {partition.number} makes no sense")
        if extent.offset + extent.size > size:
            end = extent.offset + extent.size
            raise ImageError(
                f"The image is cut off: partition {partition.number} ends at byte {end}, the file at {size}.",
                where=str(path),
                hint="Copy or download it again.",
            )


def _damaged(path: Path, what: str) -> ImageError:
    return ImageError(f"The partition table is damaged: {what}.", where=str(path), hint="Write the image again.")
