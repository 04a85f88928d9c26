"""What the tests of this checkout need besides: programs that judge what the harness writes, and a browser.

Read by ``ci/setup --for tests``, with the system's bare python3, so it uses the standard library only.
"""

from __future__ import annotations

from harness.host.table import Requirement

TABLE = (
    Requirement(
        name="mcopy",
        why="reads and writes the FAT file systems that the packer is held against",
        package="mtools",
    ),
    Requirement(
        name="fsck.fat",
        why="checks the FAT file systems that the packer writes",
        package="dosfstools",
    ),
    Requirement(
        name="sfdisk",
        why="reads the partition tables that the packer writes",
        package="fdisk",
    ),
    Requirement(
        name="dtc",
        why="reads the device trees that the firmware stage writes",
        package="device-tree-compiler",
    ),
    Requirement(
        name="fdtoverlay",
        why="merges overlays as the firmware stage must",
        package="device-tree-compiler",
    ),
    Requirement(
        name="zstd",
        why="packs an image that the harness must unpack",
        package="zstd",
    ),
    Requirement(
        name="chromium",
        why="shows an appliance's web interface, and the report: 124 MB to fetch, 414 MB installed",
        package="chromium",
    ),
    Requirement(
        name="DejaVu Sans",
        why="what the browser writes with, so that a line is as wide as on a desk",
        package="fonts-dejavu-core",
        files=("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",),
    ),
)
