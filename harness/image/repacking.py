"""The root file system of an image, packed anew with other files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.image.model import Image
from harness.image.squashfs import Dir, File, Link, Node, SquashFs, Tree, pack

Edit = Callable[[str, Node], Node | None]
"""Gets each path and node of a root file system and returns what is there instead; None takes it out."""


def pack_root(image: Image, edit: Edit, folder: Path) -> Path:
    """The root file system of an image's slot A as ``edit`` wants it, in a file; the folder should be empty."""
    squashfs = SquashFs(image.path, image.layout.root_a.offset)
    unpacked = folder / "tree"
    squashfs.extract("/", unpacked)
    tree = Tree()
    for entry in squashfs.entries():
        node: Node
        if entry.kind == "dir":
            node = Dir(entry.mode)
        elif entry.kind == "link":
            node = Link(entry.target)
        else:
            node = File(unpacked / entry.path.strip("/"), entry.mode)
        edited = edit(entry.path, node)
        if edited is not None:
            tree.add(entry.path, edited, replace=True)
    packed = folder / "root.img"
    pack(tree, packed, mtime=squashfs.mtime)
    return packed
