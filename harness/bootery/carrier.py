"""Carrier: the appliance that takes what is uploaded: one of the project's own images, on the disk of a bakery.

A client packs its boot file system for a bakery by name, and the kernel finds the root file system by identifiers
that follow from that name. So the disk of a carrier has those; what is on it is the project's own image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from harness.image.digest import content_digest
from harness.image.disk import DiskParts, boot_sector, disk_signature, partuuid, write_disk_with
from harness.image.fat_volume import FatVolume
from harness.image.layout import read_table
from harness.image.model import Image, UpdateFiles
from harness.image.squashfs import SquashFs


@dataclass(frozen=True)
class Carrier:
    """One of the project's own images on the disk of a bakery."""

    hostname: str
    """The name of the bakery, which what is uploaded is packed for; not what the image calls itself."""
    image: Image
    """The disk with the bakery's identifiers."""
    files: UpdateFiles
    """The update files of the project's own image."""

    @classmethod
    def of(cls, image: Image, files: UpdateFiles, hostname: str, folder: Path) -> Self:
        """The image, whose update files these are, on a disk that is written into ``folder``."""
        own = read_table(image.path).partitions[0].uuid
        wanted = partuuid(hostname, 1)
        boot = folder / "boot.img"
        # Both files that name the root file system lie in one piece, and the identifiers are equally long.
        boot.write_bytes(files.boot.read_bytes().replace(own.encode(), wanted.encode()))
        disk = folder / f"{hostname}.img"
        parts = DiskParts(
            arch=image.arch,
            boot=boot,
            root=files.root,
            size=image.size,
            perm=image.perm,
            perm_seed=hostname,
            mtime=SquashFs(files.root).mtime,
        )
        first_sector = mbr_for(files.mbr, boot, hostname)
        write_disk_with(disk, parts, first_sector=first_sector, signature=disk_signature(hostname))
        boot.unlink()
        cmdline = image.cmdline.replace(own, wanted)
        return cls(hostname, replace(image, path=disk, digest=content_digest(disk), cmdline=cmdline), files)


def mbr_for(code: Path, boot: Path, hostname: str) -> bytes:
    """The 446 bytes that start a boot file system on the disk of a bakery; ``code`` begins as they do."""
    volume = FatVolume.open(boot)
    return boot_sector(
        disk_signature(hostname), code.read_bytes(), volume.extent("vmlinuz"), volume.extent("cmdline.txt")
    )
