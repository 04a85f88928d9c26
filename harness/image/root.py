"""The root file system that an image boots from."""

from __future__ import annotations

from harness.image.layout import root_in_use
from harness.image.model import Image
from harness.image.squashfs import SquashFs


def root_of(image: Image) -> SquashFs:
    """The root file system in the slot that an image boots; raises ImageError where it is none."""
    return SquashFs(image.path, root_in_use(image.layout, image.cmdline).offset)
