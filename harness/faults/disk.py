"""Damage to the disk of an appliance that is off: what an update, a card or a careless build can leave behind.

Nothing here undoes itself: each test has a disk of its own, and ``rewind`` returns to the one of a checkpoint.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.appliance.time_line import Lane
from harness.image.model import SECTOR, Extent
from harness.image.repacking import Edit, pack_root
from harness.image.squashfs import File, Node
from harness.machine.partitions import make_perm

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance

PARTITION_TABLE = Extent(0, 34 * SECTOR)
"""The MBR, the header of the GPT, and its 128 entries; the GPT's copy lies at the end of the disk."""


def replace_root(appliance: Appliance, edit: Edit) -> None:
    """Pack the root file system of slot A anew, as ``edit`` wants it."""
    appliance.time_line.add(Lane.FAULTS, "the root file system of slot A is packed anew")
    overlay, image = appliance.power.overlay, appliance.image
    with tempfile.TemporaryDirectory(prefix="gokrazy-root-", dir=overlay.path.parent) as folder:
        overlay.write(image.layout.root_a.offset, pack_root(image, edit, Path(folder)))


def without(*paths: str) -> Edit:
    """An edit that takes these files out."""
    return lambda path, node: None if path in paths else node


def with_file(path: str, content: bytes) -> Edit:
    """An edit that gives this file another content; its mode stays."""

    def edit(at: str, node: Node) -> Node:
        return File(content, node.mode) if at == path and isinstance(node, File) else node

    return edit


def zero(appliance: Appliance, extent: Extent) -> None:
    """Overwrite a stretch of the disk with zeroes, as a card that lost it would read."""
    appliance.time_line.add(Lane.FAULTS, f"{extent.size} bytes of the disk are zeroed, from {extent.offset} on")
    appliance.power.overlay.write(extent.offset, bytes(extent.size))


def zero_boot_file(appliance: Appliance, name: str) -> None:
    """Overwrite the content of a file of the boot partition with zeroes; its length stays."""
    appliance.time_line.add(Lane.FAULTS, f"the boot partition's {name} is zeroed")
    appliance.edit_boot_file(name, lambda content: bytes(len(content)))


def lose_boot_partition(appliance: Appliance) -> None:
    """Overwrite the whole boot partition with zeroes."""
    zero(appliance, appliance.image.layout.boot)


def blank_perm(appliance: Appliance) -> None:
    """Have nothing on the permanent partition by which it could be mounted, as before it was first formatted."""
    appliance.time_line.add(Lane.FAULTS, "/perm is blank")
    make_perm(appliance.power.overlay, replace(appliance.image, perm="blank"))


def lose_partition_table(appliance: Appliance) -> None:
    """Overwrite the partition table, MBR and GPT, with zeroes; the GPT's copy stays."""
    zero(appliance, PARTITION_TABLE)
