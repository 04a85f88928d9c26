"""The disk that carries a gokrazy image: partition numbers and identities, and writing it.

The layout is the real packer's: a hybrid MBR (the boot partition for the Raspberry Pi's firmware and a PC's boot
sector, a protective entry for everyone else) and a GPT with boot, root A, root B and perm. Devices that keep their
boot loader where a GPT lies have an MBR with the four partitions alone.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from harness.errors import ImageError
from harness.image.arch import Arch, architecture_of
from harness.image.device_types import USUAL, DeviceType
from harness.image.layout import read_layout as read_layout
from harness.image.model import SECTOR, Extent, Layout, PermState
from harness.image.perm import format_perm

BOOT_FIRST = USUAL.boot_first
"""Sectors before the boot partition."""
BOOT_SECTORS = 100 * 2048
ROOT_SECTORS = 500 * 2048
BACKUP_SECTORS = 33
"""The backup GPT at the end of the disk: 32 sectors of entries and the header."""
SMALLEST_DISK = USUAL.smallest_disk
"""Bytes; the smallest ``--target_storage_bytes`` that the real packer takes for most devices."""

GPT_FIRST_USABLE = 34
BOOT_CODE_BYTES = 432
"""Of the 440 bytes of gokrazy's boot sector so many are code; two sector numbers follow."""

_GUID_PREFIX = "60c24cc1-f3f9-427a-8199"
_ESP = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
_LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
_FAT, _LINUX_MBR = 0x0C, 0x83
_ENTRY_COUNT = 128
_CHUNK = 1 << 20
_USE_LBA = b"\xfe\xff\xff"
"""Cylinder, head and sector that say: look at the sector numbers instead."""


def disk_signature(hostname: str) -> int:
    """The 32 bits that identify a host's disk: FNV-1a over the hostname."""
    value = 0x811C9DC5
    for byte in hostname.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def partuuid(hostname: str, number: int) -> str:
    """The GUID of partition ``number`` (1 to 4; 0 is the disk's own) on the disk of a host, in lower case."""
    return guid_of(disk_signature(hostname), number)


def guid_of(signature: int, number: int) -> str:
    """The GUID of a partition on the disk with this MBR signature, in lower case."""
    return f"{_GUID_PREFIX}-{signature:08x}00{number:02x}"


def root_argument(hostname: str, device: DeviceType) -> str:
    """The kernel argument that names root A of a host's disk."""
    if device.has_gpt:
        return f"root=PARTUUID={partuuid(hostname, 1)}/PARTNROFF=1"
    return f"root=PARTUUID={disk_signature(hostname):08x}-02"


def layout_of(size: int, device: DeviceType = USUAL) -> Layout:
    """Where the partitions lie on a disk of ``size`` bytes; raises ImageError when it is too small or odd."""
    if size < device.smallest_disk or size % SECTOR:
        raise ImageError(
            f"A disk of {size} bytes cannot hold a gokrazy image.",
            where="disk size",
            hint=f"Use a multiple of {SECTOR}, at least {device.smallest_disk}; "
            "QEMU's SD cards need a power of two.",
        )
    root_a = device.boot_first + BOOT_SECTORS
    root_b = root_a + ROOT_SECTORS
    perm = root_b + ROOT_SECTORS
    return Layout(
        boot=_extent(device.boot_first, BOOT_SECTORS),
        root_a=_extent(root_a, ROOT_SECTORS),
        root_b=_extent(root_b, ROOT_SECTORS),
        perm=_extent(perm, size // SECTOR - (GPT_FIRST_USABLE if device.has_gpt else 0) - perm),
    )


def boot_sector(
    signature: int,
    boot_code: bytes | None,
    vmlinuz: Extent | None,
    cmdline: Extent | None,
    *,
    device: DeviceType = USUAL,
) -> bytes:
    """The first 446 bytes of a disk; the extents are places within the boot partition's file system.

    ``boot_code`` is the content of ``mbr/bootloader.img`` in module ``github.com/gokrazy/internal``; without it
    a PC with BIOS does not boot the disk.
    """
    code = b"\0" * 440
    if boot_code is not None and vmlinuz is not None and cmdline is not None:
        if len(boot_code) < BOOT_CODE_BYTES:
            raise ImageError(
                f"The boot sector has {len(boot_code)} bytes, but its code alone needs {BOOT_CODE_BYTES}.",
                where="mbr/bootloader.img of module github.com/gokrazy/internal",
                hint="Take a version of that module that has the boot sector.",
            )
        sectors = (device.boot_first + extent.offset // SECTOR for extent in (vmlinuz, cmdline))
        code = boot_code[:BOOT_CODE_BYTES] + struct.pack("<II", *sectors)
    return code + struct.pack("<IH", signature, 0)


@dataclass(frozen=True)
class DiskParts:
    """What a disk is made of, beside its boot sector."""

    arch: Arch
    boot: Path
    """The boot file system."""
    root: Path
    """The root file system: of slot A; slot B stays empty."""
    size: int
    """Bytes of the whole disk."""
    perm: PermState
    """Only with "ext4" is /perm formatted."""
    perm_seed: str
    """Decides the identifiers of that file system."""
    mtime: int
    """Seconds since 1970."""
    device: DeviceType = USUAL


def write_disk(
    out: Path, parts: DiskParts, *, hostname: str, boot_code: bytes | None, vmlinuz: Extent, cmdline: Extent
) -> Layout:
    """Write a sparse raw disk image: same inputs, same bytes, no need to be root.

    ``vmlinuz`` and ``cmdline`` are the places within the boot file system that write_fat returned. Raises
    ImageError when something does not fit.
    """
    signature = disk_signature(hostname)
    first_sector = boot_sector(signature, boot_code, vmlinuz, cmdline, device=parts.device)
    return write_disk_with(out, parts, first_sector=first_sector, signature=signature)


def write_disk_with(out: Path, parts: DiskParts, *, first_sector: bytes, signature: int) -> Layout:
    """Write a disk around 446 bytes of boot sector that are ready made (as an update or a .gaf carries them)."""
    device = parts.device
    layout = layout_of(parts.size, device)
    try:
        with out.open("wb") as disk:
            disk.truncate(parts.size)
            _copy(disk, parts.boot, layout.boot, "boot file system")
            _copy(disk, parts.root, layout.root_a, "root file system")
            disk.seek(0)
            disk.write(first_sector[:446].ljust(446, b"\0"))
            disk.write(_hybrid_mbr(device) if device.has_gpt else _plain_mbr(layout))
            if device.has_gpt:
                _write_gpt(disk, _gpt_entries(layout, parts.arch, signature), signature, parts.size)
        if parts.perm == "ext4" and layout.perm is not None:
            format_perm(out, layout.perm, seed=parts.perm_seed, mtime=parts.mtime)
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    return layout


def _extent(first: int, sectors: int) -> Extent:
    return Extent(first * SECTOR, sectors * SECTOR)


def _copy(disk: BinaryIO, source: Path, place: Extent, what: str) -> None:
    """Copy a file into its partition; chunks of zeros stay holes."""
    size = source.stat().st_size
    if size > place.size:
        raise ImageError(
            f"The {what} has {size} bytes, but its partition only {place.size}.",
            where=str(source),
            hint="Leave packages or extra files out of the instance.",
        )
    with source.open("rb") as file:
        offset = place.offset
        while chunk := file.read(_CHUNK):
            if chunk.count(0) != len(chunk):
                disk.seek(offset)
                disk.write(chunk)
            offset += len(chunk)


def _mbr_entry(kind: int, first: int, sectors: int, *, active: bool = False) -> bytes:
    flag = b"\x80" if active else b"\x00"
    return flag + _USE_LBA + bytes([kind]) + _USE_LBA + struct.pack("<II", first, sectors)


def _hybrid_mbr(device: DeviceType) -> bytes:
    boot = _mbr_entry(_FAT, device.boot_first, BOOT_SECTORS, active=True)
    protective = _mbr_entry(0xEE, 1, device.boot_first - 1)
    return (boot + protective).ljust(64, b"\0") + b"\x55\xaa"


def _plain_mbr(layout: Layout) -> bytes:
    extents = [layout.boot, layout.root_a, layout.root_b, layout.perm]
    entries = [
        _mbr_entry(
            _FAT if extent is layout.boot else _LINUX_MBR,
            extent.offset // SECTOR,
            extent.size // SECTOR,
            active=extent is layout.boot,
        )
        for extent in extents
        if extent is not None
    ]
    return b"".join(entries).ljust(64, b"\0") + b"\x55\xaa"


def _write_gpt(disk: BinaryIO, entries: bytes, signature: int, size: int) -> None:
    last = size // SECTOR - 1
    disk.seek(SECTOR)
    disk.write(_gpt_header(entries, signature, size, here=1, other=last, table=2))
    disk.write(entries)
    disk.seek((last - 32) * SECTOR)
    disk.write(entries)
    disk.write(_gpt_header(entries, signature, size, here=last, other=1, table=last - 32))


def _gpt_entries(layout: Layout, arch: Arch, signature: int) -> bytes:
    # The names are the real packer's, which calls the EFI system partition "Microsoft basic data".
    partitions = [
        (_ESP, layout.boot, "Microsoft basic data"),
        (architecture_of(arch).root_type, layout.root_a, "Linux filesystem"),
        (_LINUX, layout.root_b, "Linux filesystem"),
        (_LINUX, layout.perm, "Linux filesystem"),
    ]
    table = b""
    for number, (kind, extent, name) in enumerate(partitions, start=1):
        if extent is not None:
            first = extent.offset // SECTOR
            table += kind.bytes_le + uuid.UUID(guid_of(signature, number)).bytes_le
            table += struct.pack("<QQQ", first, first + extent.size // SECTOR - 1, 0)
            table += name.encode("utf-16-le").ljust(72, b"\0")
    return table.ljust(_ENTRY_COUNT * 128, b"\0")


def _gpt_header(entries: bytes, signature: int, size: int, *, here: int, other: int, table: int) -> bytes:
    def header(checksum: int) -> bytes:
        return (
            b"EFI PART"
            + struct.pack("<IIII", 0x00010000, 92, checksum, 0)
            + struct.pack("<QQQQ", here, other, GPT_FIRST_USABLE, size // SECTOR - 1 - BACKUP_SECTORS)
            + uuid.UUID(guid_of(signature, 0)).bytes_le
            + struct.pack("<QIII", table, _ENTRY_COUNT, 128, zlib.crc32(entries))
        )

    return header(zlib.crc32(header(0))).ljust(SECTOR, b"\0")
