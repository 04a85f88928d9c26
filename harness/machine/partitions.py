"""Writes to the partitions of a disk whose machine is off: a boot file in its place, /perm made or added to."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness.errors import OptionError
from harness.image.fat import FatVolume
from harness.image.model import Extent, Image
from harness.image.perm import format_perm, read_file, replay_journal, write_files
from harness.machine.disk_overlay import DiskOverlay

_HEAD = 1 << 16
"""Bytes at the beginning of a partition by which gokrazy recognises every file system that it mounts."""
_FORMATTED = 24 * 3600
"""When a /perm was made, in seconds since 1970: before whatever a device without a clock takes for the time."""


def edit_boot_file(overlay: DiskOverlay, image: Image, name: str, edit: Callable[[bytes], bytes]) -> None:
    """Change a file of the boot partition in its place, as ``edit`` makes it of the image's own.

    Raises OptionError when its length would change.
    """
    boot = image.layout.boot
    volume = FatVolume.open(image.path, offset=boot.offset, size=boot.size)
    before = volume.read(name)
    after = edit(before)
    if len(after) != len(before):
        raise OptionError(f"{name} cannot change its length in place: {len(before)} bytes, then {len(after)}")
    overlay.write(boot.offset + volume.extent(name).offset, after)


def write_perm(overlay: DiskOverlay, image: Image, name: str, content: bytes) -> None:
    """Put a file onto the permanent partition; ``name`` is relative to /perm.

    Raises OptionError without such a partition, ImageError when it has no usable ext4.
    """
    place = _perm(image)
    with tempfile.TemporaryDirectory(prefix="gokrazy-perm-", dir=overlay.path.parent) as folder:
        perm = overlay.extract(place, Path(folder) / "perm.ext4")
        write_files(perm, {name: content})
        overlay.put_back(place, perm)


def read_perm(overlay: DiskOverlay, image: Image, name: str) -> bytes | None:
    """A file of the permanent partition, None where there is none; otherwise as ``write_perm``."""
    place = _perm(image)
    with tempfile.TemporaryDirectory(prefix="gokrazy-perm-", dir=overlay.path.parent) as folder:
        perm = overlay.extract(place, Path(folder) / "perm.ext4")
        replay_journal(perm)
        return read_file(perm, name)


def make_perm(overlay: DiskOverlay, image: Image) -> None:
    """Make the permanent partition what ``image`` says it is, formatted or blank, whatever is on it now.

    Raises OptionError without such a partition.
    """
    place = _perm(image)
    if image.perm != "ext4":
        overlay.write(place.offset, bytes(min(_HEAD, place.size)))
        return
    with tempfile.TemporaryDirectory(prefix="gokrazy-perm-", dir=overlay.path.parent) as folder:
        perm = Path(folder) / "perm.ext4"
        perm.touch()
        os.truncate(perm, place.size)
        format_perm(perm, Extent(0, place.size), seed=image.hostname, mtime=_FORMATTED)
        overlay.put_back(place, perm)


def _perm(image: Image) -> Extent:
    if image.layout.perm is None:
        raise OptionError("the image has no permanent partition", where=str(image.path))
    return image.layout.perm
