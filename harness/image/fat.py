"""The boot partition's FAT file system: written as gokrazy's own packer lays it out, read as a firmware would.

gokrazy finds files for its in-place edits with a reader of its own (``gokrazy/internal/fat/reader.go``), which
knows one FAT copy, contiguous files, and directories whose 8.3 name is spelled as the path is. So this writer
keeps the spelling in the 8.3 names (lower case where the path is) and adds a long name to every entry.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from harness.errors import ImageError
from harness.image.fat_volume import FatVolume as FatVolume
from harness.image.model import SECTOR, Extent

SECTORS_PER_CLUSTER = 4
CLUSTER = SECTOR * SECTORS_PER_CLUSTER
RESERVED_SECTORS = 4
FEWEST_CLUSTERS = 4085
"""Below this a FAT is read with 12 bits per entry, which gokrazy does not know."""
MOST_CLUSTERS = 65524
"""Above this a FAT is read with 32 bits per entry."""

_ENTRY = 32
_LABEL = b"gokrazy    "
_VOLUME_ID = 0xF3F37B84
_ATTR_READ_ONLY = 0x01
_ATTR_LABEL = 0x08
_ATTR_DIRECTORY = 0x10
_ATTR_LONG_NAME = 0x0F
_CHARS_PER_LONG_ENTRY = 13
_FORBIDDEN = frozenset('"*/:<>?\\|') | {chr(code) for code in range(32)}

Content = bytes | Path


@dataclass
class _File:
    name: str
    content: Content
    size: int
    cluster: int = 0


@dataclass
class _Directory:
    name: str
    parent: _Directory | None = None
    entries: list[_File | _Directory] = field(default_factory=list)
    cluster: int = 0
    size: int = 0  # always 0 in a directory's own entry

    def child(self, name: str) -> _File | _Directory | None:
        for entry in self.entries:
            if entry.name.upper() == name.upper():
                return entry
        return None


def write_fat(out: Path, files: Sequence[tuple[str, Content]], *, mtime: int) -> dict[str, Extent]:
    """Write a FAT16 volume with ``files`` (path, content) in their order, and return each file's place in it.

    ``mtime`` is in seconds since 1970 (UTC); same input, same bytes. The file ends after the last used cluster,
    though the volume says that it is larger. Raises ImageError for names that FAT cannot hold and for too much
    content.
    """
    root = _Directory("")
    plain: list[tuple[str, _File]] = [(name, _add(root, name, content)) for name, content in files]
    fat = [0xFFF8, 0xFFFF]  # media descriptor (hard disk), clean
    for _, file in plain:
        file.cluster = _allocate(fat, file.size)
    directories: list[_Directory] = []
    for entry in root.entries:
        if isinstance(entry, _Directory):
            _place_directories(entry, fat, directories)
    fat += [0] * (2 + FEWEST_CLUSTERS - len(fat))
    if len(fat) - 2 > MOST_CLUSTERS:
        raise ImageError(
            f"The boot file system would hold {sum(file.size for _, file in plain)} bytes, more than FAT16 can.",
            where=str(out),
            hint="Leave firmware or EEPROM packages out that this board does not need.",
        )
    stamp = _dos_time(mtime)
    root_table = _directory_bytes(root, stamp)
    root_table += b"\0" * (-len(root_table) % SECTOR)
    fat_sectors = -(-len(fat) * 2 // SECTOR)
    data_start = (RESERVED_SECTORS + fat_sectors) * SECTOR + len(root_table)
    try:
        with out.open("wb") as volume:
            volume.write(_boot_sector(fat, fat_sectors, len(root_table)).ljust(RESERVED_SECTORS * SECTOR, b"\0"))
            volume.write(struct.pack(f"<{len(fat)}H", *fat).ljust(fat_sectors * SECTOR, b"\0"))
            volume.write(root_table)
            for name, file in plain:
                _write_content(volume, name, file)
            for directory in directories:
                _write_padded(volume, _directory_bytes(directory, stamp))
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    return {name: Extent(data_start + max(0, file.cluster - 2) * CLUSTER, file.size) for name, file in plain}


def _add(root: _Directory, path: str, content: Content) -> _File:
    *parents, name = path.strip("/").split("/")
    directory = root
    for part in parents:
        _check_name(part, path)
        child = directory.child(part)
        if child is None:
            child = _Directory(part, directory)
            directory.entries.append(child)
        if isinstance(child, _File):
            raise _bad_name(path, f"{child.name} is already a file")
        directory = child
    _check_name(name, path)
    if (other := directory.child(name)) is not None:
        raise _bad_name(path, f"{other.name} is already there, and FAT does not distinguish upper and lower case")
    file = _File(name, content, len(content) if isinstance(content, bytes) else content.stat().st_size)
    directory.entries.append(file)
    return file


def _check_name(name: str, path: str) -> None:
    if not name or name in (".", ".."):
        raise _bad_name(path, "it has an empty or relative part")
    if bad := sorted(_FORBIDDEN & set(name)):
        raise _bad_name(path, f"it contains {bad[0]!r}")
    if not name.isascii() or name.endswith((".", " ")) or len(name) > 255:
        raise _bad_name(
            path, "only ASCII names of at most 255 characters that end in neither dot nor blank are written"
        )


def _bad_name(path: str, why: str) -> ImageError:
    return ImageError(
        f"The boot file system cannot hold a file of this name: {why}.",
        where=path,
        hint="Rename or remove the file in the package that it comes from.",
    )


def _allocate(fat: list[int], size: int) -> int:
    """Append a contiguous chain for ``size`` bytes; the number of its first cluster, 0 for no bytes."""
    clusters = -(-size // CLUSTER)
    if clusters == 0:
        return 0
    first = len(fat)
    fat.extend(range(first + 1, first + clusters))
    fat.append(0xFFFF)
    return first


def _place_directories(directory: _Directory, fat: list[int], placed: list[_Directory]) -> None:
    """Allocate a directory after its sub-directories, as the real packer does."""
    for entry in directory.entries:
        if isinstance(entry, _Directory):
            _place_directories(entry, fat, placed)
    slots = 2 + sum(_slots(entry.name) for entry in directory.entries)
    directory.cluster = _allocate(fat, slots * _ENTRY)
    placed.append(directory)


def _slots(name: str) -> int:
    return 1 + -(-len(name) // _CHARS_PER_LONG_ENTRY)


def _directory_bytes(directory: _Directory, stamp: tuple[int, int]) -> bytes:
    if directory.parent is None:
        table = _LABEL + bytes([_ATTR_LABEL]) + b"\0" * 10 + struct.pack("<HHHI", *stamp, 0, 0)
    else:
        table = _short_entry(b".".ljust(11), _ATTR_DIRECTORY, stamp, directory.cluster, 0)
        table += _short_entry(b"..".ljust(11), _ATTR_DIRECTORY, stamp, directory.parent.cluster, 0)
    taken: set[bytes] = set()
    for entry in directory.entries:
        short = _short_name(entry.name, taken)
        taken.add(short.upper())
        table += _long_entries(entry.name, short)
        attributes = _ATTR_DIRECTORY if isinstance(entry, _Directory) else _ATTR_READ_ONLY
        table += _short_entry(short, attributes, stamp, entry.cluster, entry.size)
    return table


def _short_entry(name: bytes, attributes: int, stamp: tuple[int, int], cluster: int, size: int) -> bytes:
    return name + bytes([attributes]) + b"\0" * 10 + struct.pack("<HHHI", *stamp, cluster, size)


def _short_name(name: str, taken: set[bytes]) -> bytes:
    """The 11 bytes of the 8.3 name: the name's own spelling, with a numeric tail only where it does not fit."""
    basis = name.replace(" ", "").lstrip(".")
    stem, _, extension = basis.rpartition(".") if "." in basis else (basis, "", "")
    plain = stem.replace(".", "")
    fits = plain == stem and len(stem) <= 8 and len(extension) <= 3 and bool(stem) and basis == name
    ending = extension[:3].ljust(3).encode()
    candidate = plain[:8].ljust(8).encode() + ending
    if fits and candidate.upper() not in taken:
        return candidate
    for number in range(1, 1_000_000):
        tail = f"~{number}"
        candidate = (plain[: 8 - len(tail)] + tail).ljust(8).encode() + ending
        # The real packer counts by stem alone (a.dtbo and a.conf get ~1 and ~2), so the same is done here.
        if not any(other[:8] == candidate[:8].upper() for other in taken):
            return candidate
    raise _bad_name(name, "a million files begin like it")


def _long_entries(name: str, short: bytes) -> bytes:
    checksum = 0
    for byte in short:
        checksum = (((checksum & 1) << 7) + (checksum >> 1) + byte) & 0xFF
    chunks = -(-len(name) // _CHARS_PER_LONG_ENTRY)
    text = name.encode("utf-16-le")
    if len(name) % _CHARS_PER_LONG_ENTRY:
        text += b"\0\0"
    text = text.ljust(chunks * _CHARS_PER_LONG_ENTRY * 2, b"\xff")
    table = b""
    for index in reversed(range(chunks)):
        part = text[index * 26 : index * 26 + 26]
        order = (index + 1) | (0x40 if index == chunks - 1 else 0)
        table += bytes([order]) + part[:10] + bytes([_ATTR_LONG_NAME, 0, checksum])
        table += part[10:22] + b"\0\0" + part[22:26]
    return table


def _dos_time(mtime: int) -> tuple[int, int]:
    """FAT's time and date words (UTC, two seconds' grain); what lies before 1980 becomes 1980."""
    moment = datetime.fromtimestamp(min(max(mtime, 315532800), 4354819198), UTC)
    time = moment.hour << 11 | moment.minute << 5 | moment.second // 2
    return time, (moment.year - 1980) << 9 | moment.month << 5 | moment.day


def _boot_sector(fat: list[int], fat_sectors: int, root_bytes: int) -> bytes:
    total = RESERVED_SECTORS + fat_sectors + root_bytes // SECTOR + (len(fat) - 2) * SECTORS_PER_CLUSTER
    sector = b"\xeb\x3c\x90" + b"gokrazy!"
    sector += struct.pack("<HBHBHH", SECTOR, SECTORS_PER_CLUSTER, RESERVED_SECTORS, 1, root_bytes // _ENTRY, 0)
    sector += struct.pack("<BHHHII", 0xF8, fat_sectors, 32, 4, 1, total)
    sector += struct.pack("<BBBI", 0x80, 0, 0x29, _VOLUME_ID) + _LABEL + b"FAT16   "
    return sector.ljust(510, b"\0") + b"\x55\xaa"


def _write_content(volume: BinaryIO, name: str, file: _File) -> None:
    if isinstance(file.content, bytes):
        _write_padded(volume, file.content)
        return
    start = volume.tell()
    with file.content.open("rb") as source:
        shutil.copyfileobj(source, volume, 1 << 20)
    written = volume.tell() - start
    if written != file.size:
        raise ImageError(
            f"The file changed while it was packed: {file.size} bytes at first, then {written}.",
            where=f"{name} from {file.content}",
            hint="Build again when nothing writes to it.",
        )
    volume.write(b"\0" * (-written % CLUSTER))


def _write_padded(volume: BinaryIO, data: bytes) -> None:
    volume.write(data)
    volume.write(b"\0" * (-len(data) % CLUSTER))
