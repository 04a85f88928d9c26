"""How much room an image takes: what an update to it sends."""

from __future__ import annotations

from dataclasses import dataclass

from harness.image.fat_volume import FatVolume
from harness.image.model import Image
from harness.image.root import root_of

MIB = 1 << 20
"""Bytes."""


@dataclass(frozen=True)
class ImageRoom:
    """MiB of an image."""

    root: float
    """Of its root file system, without the rest of its partition."""
    boot: float
    """Of its boot file system, up to its last used cluster."""


def room_of(image: Image) -> ImageRoom:
    """How much room an image takes."""
    layout = image.layout
    root = root_of(image).bytes_used
    boot = FatVolume.open(image.path, offset=layout.boot.offset, size=layout.boot.size).used_bytes
    return ImageRoom(root / MIB, boot / MIB)
