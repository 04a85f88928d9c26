"""The three files of an update, cut out of a disk image."""

from __future__ import annotations

from pathlib import Path

from harness.image.fat import FatVolume
from harness.image.layout import root_in_use
from harness.image.model import Extent, Image, UpdateFiles
from harness.image.source import FileSource
from harness.image.squashfs import SquashFs

MBR_BYTES = 446
"""An update leaves the partition table behind the boot code alone."""
_CHUNK = 1 << 20
_SQUASHFS_PADDING = 4096


def update_files(image: Image, folder: Path) -> UpdateFiles:
    """Write root.img, boot.img and mbr.img into ``folder`` as ``gok overwrite`` would; raises ImageError.

    The root file system is that of the slot which the image boots, without the rest of its partition; the boot
    file system ends after its last used cluster.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = UpdateFiles(root=folder / "root.img", boot=folder / "boot.img", mbr=folder / "mbr.img")
    layout = image.layout
    root = root_in_use(layout, image.cmdline)
    used = SquashFs(image.path, root.offset).bytes_used
    padded = min(used + -used % _SQUASHFS_PADDING, root.size)
    boot = FatVolume.open(image.path, offset=layout.boot.offset, size=layout.boot.size)
    _cut(image.path, Extent(root.offset, padded), files.root)
    _cut(image.path, Extent(layout.boot.offset, min(boot.used_bytes, layout.boot.size)), files.boot)
    _cut(image.path, Extent(0, MBR_BYTES), files.mbr)
    return files


def _cut(source: Path, extent: Extent, out: Path) -> None:
    stretch = FileSource(source, extent.offset, extent.size)
    with out.open("wb") as file:
        for offset in range(0, extent.size, _CHUNK):
            file.write(stretch.read_at(offset, min(_CHUNK, extent.size - offset)))
