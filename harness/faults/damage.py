"""Damage to the disk of an appliance that is off: what an update, a card or a careless build can leave behind."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness.errors import OptionError
from harness.image.fat import FatVolume
from harness.image.model import Extent, Image
from harness.image.perm import format_perm, write_files
from harness.image.squashfs import Dir, File, Link, Node, SquashFs, Tree, pack
from harness.machine.overlay import Overlay

_HEAD = 1 << 16
_FORMATTED = 24 * 3600
"""When a /perm was made, in seconds since 1970: before whatever a device without a clock takes for the time."""
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


def edit_boot_file(overlay: Overlay, image: Image, name: str, edit: Callable[[bytes], bytes]) -> None:
    """Change a file of the boot partition in its place; its length must stay."""
    boot = image.layout.boot
    volume = FatVolume.open(image.path, offset=boot.offset, size=boot.size)
    before = volume.read(name)
    after = edit(before)
    if len(after) != len(before):
        raise OptionError(f"{name} cannot change its length in place: {len(before)} bytes, then {len(after)}")
    overlay.write(boot.offset + volume.extent(name).offset, after)


def write_perm(overlay: Overlay, image: Image, name: str, content: bytes) -> None:
    """Put a file onto the permanent partition; ``name`` is relative to /perm."""
    place = image.layout.perm
    if place is None:
        raise OptionError("the image has no permanent partition", where=str(image.path))
    with tempfile.TemporaryDirectory(prefix="gokrazy-perm-", dir=overlay.path.parent) as folder:
        perm = overlay.extract(place, Path(folder) / "perm.ext4")
        write_files(perm, {name: content})
        overlay.put_back(place, perm)


def make_perm(overlay: Overlay, image: Image) -> None:
    """Make the permanent partition what ``image`` says it is, formatted or blank, whatever is on it now."""
    place = image.layout.perm
    if place is None:
        raise OptionError("the image has no permanent partition", where=str(image.path))
    if image.perm != "ext4":
        # What tells any file system that gokrazy mounts from nothing lies in here.
        overlay.write(place.offset, bytes(min(_HEAD, place.size)))
        return
    with tempfile.TemporaryDirectory(prefix="gokrazy-perm-", dir=overlay.path.parent) as folder:
        perm = Path(folder) / "perm.ext4"
        perm.touch()
        os.truncate(perm, place.size)
        format_perm(perm, Extent(0, place.size), seed=image.hostname, mtime=_FORMATTED)
        overlay.put_back(place, perm)
