"""Damage to the disk of an appliance that is off: what an update, a card or a careless build can leave behind.

None of it undoes itself: the disk is the test's own, and ``rewind`` returns to one without damage.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from harness.image.model import Extent, Image
from harness.image.squashfs import Dir, File, Link, Node, SquashFs, Tree, pack
from harness.machine.overlay import Overlay

Edit = Callable[[str, Node], Node | None]
"""Gets each path and node of a root file system and returns what is there instead; None takes it out."""


def replace_root(overlay: Overlay, image: Image, edit: Edit) -> None:
    """Pack the root file system of slot A anew, as ``edit`` wants it."""
    with tempfile.TemporaryDirectory(prefix="gokrazy-root-", dir=overlay.path.parent) as folder:
        squashfs = SquashFs(image.path, image.layout.root_a.offset)
        unpacked = Path(folder) / "tree"
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
        packed = Path(folder) / "root.img"
        pack(tree, packed, mtime=squashfs.mtime)
        overlay.write(image.layout.root_a.offset, packed)


def without(*paths: str) -> Edit:
    """An edit that takes these files out."""
    return lambda path, node: None if path in paths else node


def with_file(path: str, content: bytes) -> Edit:
    """An edit that gives this file another content; its mode stays."""

    def edit(at: str, node: Node) -> Node:
        return File(content, node.mode) if at == path and isinstance(node, File) else node

    return edit


def zero(overlay: Overlay, extent: Extent) -> None:
    """Overwrite a stretch of the disk with zeroes, as a card that lost it would read."""
    overlay.write(extent.offset, bytes(extent.size))
