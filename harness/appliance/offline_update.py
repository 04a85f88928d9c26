"""An offline update: written straight to the disk of an appliance that is off, into its inactive slot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from harness.console.slot import Slot, slot_of
from harness.errors import ApplianceFault
from harness.image.fat_volume import FatVolume
from harness.image.model import Extent, Image, Layout, UpdateFiles
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.partitions import edit_boot_file

ROOT = re.compile(rb"root=[^ ]+")
"""What gokrazy's own switch replaces (its update.go)."""
NUMBER = re.compile(rb"(root=\S*/PARTNROFF=)[12]")
"""The slot in it."""
PART = 1 << 20
"""Bytes that are compared at once."""
NAMING_THE_SLOT = ("cmdline.txt", "loader/entries/gokrazy.conf")


def install_offline(overlay: DiskOverlay, layout: Layout, image: Image, files: UpdateFiles) -> Slot:
    """Write root, boot files and MBR of ``image`` (``files``) as an update does; returns the slot that has them.

    The boot files go on naming the active slot, as after ``/update/bootonly``: the device itself flips.
    ``layout`` is that of the disk. Raises ApplianceFault when the disk's cmdline.txt names no slot.
    """
    before = FatVolume.open(overlay.source(layout.boot)).read("cmdline.txt")
    root, active = ROOT.search(before), slot_of(before.decode(errors="replace"))
    if root is None or active is None:
        raise ApplianceFault(
            "cmdline.txt names no slot, so nobody knows which one is inactive",
            where=str(overlay.path),
            evidence=before.decode(errors="replace").strip(),
        )
    token = root[0]
    inactive: Slot = "B" if active == "A" else "A"
    place = layout.root_b if active == "A" else layout.root_a
    overlay.write(place.offset, files.root)
    overlay.write(layout.boot.offset, files.boot)
    overlay.write(0, files.mbr)
    for name in NAMING_THE_SLOT:
        if name in image.boot_files:
            edit_boot_file(overlay, image, name, lambda content: ROOT.sub(token, content))
    return inactive


def put_back_offline(overlay: DiskOverlay, layout: Layout, image: Image, files: UpdateFiles) -> Slot:
    """Write boot files and MBR of ``image`` (``files``) for the slot that has its root file system; returns that.

    Raises ApplianceFault where neither slot has it.
    """
    places: dict[Slot, Extent] = {"A": layout.root_a, "B": layout.root_b}
    slot = next((name for name, place in places.items() if _has(overlay, place, files.root)), None)
    if slot is None:
        raise ApplianceFault(
            f"neither slot has the root file system of {image.hostname} build {image.build}",
            where=str(overlay.path),
            hint="write a whole image to the disk: what is on /perm is lost then",
        )
    overlay.write(layout.boot.offset, files.boot)
    overlay.write(0, files.mbr)
    number = b"1" if slot == "A" else b"2"
    for name in NAMING_THE_SLOT if slot_of(image.cmdline) != slot else ():
        if name in image.boot_files:
            edit_boot_file(overlay, image, name, lambda content: NUMBER.sub(rb"\g<1>" + number, content))
    return slot


def _has(overlay: DiskOverlay, place: Extent, root: Path) -> bool:
    """Whether a slot begins with this root file system."""
    slot = overlay.source(place)
    with root.open("rb") as file:
        return all(slot.read_at(at, len(part)) == part for at, part in _parts(file))


def _parts(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    at = 0
    while part := file.read(PART):
        yield at, part
        at += len(part)
