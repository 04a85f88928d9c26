"""The device tree that a Raspberry Pi's firmware hands to the kernel: the board's own, with overlays merged in."""

from __future__ import annotations

from harness.errors import FirmwareFailure
from harness.firmware import overlay as overlays
from harness.firmware.boot_partition import CUT_SHORT, BootPartition
from harness.firmware.flat_tree import Tree, TreeError, dump, parse


def load(files: BootPartition, name: str) -> Tree:
    """Read a device tree of the boot partition; raises FirmwareFailure when it is none."""
    try:
        return parse(files.read(name))
    except TreeError as error:
        raise FirmwareFailure(
            f"{name} in the boot partition is no device tree: {error}", where=files.where, hint=CUT_SHORT
        ) from error


def merged(base: Tree, overlay: Tree) -> Tree:
    """``base`` with the overlay; raises TreeError, with ``base`` as it was."""
    tree, copy = parse(dump(base)), parse(dump(overlay))
    overlays.resolve(tree, copy)
    overlays.merge(tree, copy)
    return tree
