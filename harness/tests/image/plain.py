"""An image that has nothing special and no file: what a test is about is put in its place."""

from __future__ import annotations

from pathlib import Path

from harness.image.model import Extent, Image, Kernel, Layout

PLACE = Extent(0, 512)
PLAIN = Image(
    path=Path("/images/mine.img"),
    digest="0" * 64,
    size=512,
    arch="arm64",
    hostname="mine",
    build="",
    builder="given",
    layout=Layout(PLACE, PLACE, PLACE, PLACE),
    kernel=Kernel(""),
    cmdline="",
    services=(),
    perm="ext4",
    password="pw",
)
