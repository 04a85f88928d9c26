"""An offline update: written straight to the disk of an appliance that is off, into its inactive slot."""

from __future__ import annotations

import re

from harness.console.slot import Slot, slot_of
from harness.errors import ApplianceFault
from harness.image.fat_volume import FatVolume
from harness.image.model import Image, Layout, UpdateFiles
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.partitions import edit_boot_file

ROOT = re.compile(rb"root=[^ ]+")
"""What gokrazy's own switch replaces (its update.go)."""
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
