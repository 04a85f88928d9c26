"""What the harness's own tests need besides: programs that judge what the packer and the firmware stage write.

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
)
