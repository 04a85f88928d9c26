"""Damage to a disk: real overlays over a small image, under an appliance that has nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from harness.appliance.appliance import Appliance
from harness.appliance.time_line import TimeLine
from harness.errors import ImageError
from harness.faults import disk
from harness.image.digest import content_digest
from harness.image.load import load_raw
from harness.image.model import Extent, Image
from harness.image.squashfs import SquashFs
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.partitions import read_perm, write_perm


@pytest.fixture(scope="module")
def image(small_image: Path) -> Image:
    return load_raw(small_image)


@pytest.fixture
def overlay(image: Image, tmp_path: Path) -> DiskOverlay:
    return DiskOverlay.create(image.path, tmp_path)


@pytest.fixture
def appliance(image: Image, overlay: DiskOverlay) -> Appliance:
    return cast(
        Appliance, SimpleNamespace(image=image, power=SimpleNamespace(overlay=overlay), time_line=TimeLine())
    )


def root(overlay: DiskOverlay, image: Image, folder: Path) -> SquashFs:
    return SquashFs(overlay.extract(image.layout.root_a, folder / "root.squashfs"), 0)


def nodes(squashfs: SquashFs) -> dict[str, tuple[str, int]]:
    return {entry.path: (entry.kind, entry.mode) for entry in squashfs.entries()}


def test_a_root_file_system_loses_a_file_and_keeps_the_others(
    appliance: Appliance, overlay: DiskOverlay, image: Image, tmp_path: Path
) -> None:
    before = content_digest(image.path)
    disk.replace_root(appliance, disk.without("/gokrazy/dhcp"))
    old = nodes(SquashFs(image.path, image.layout.root_a.offset))
    new = nodes(root(overlay, image, tmp_path))
    assert old.pop("/gokrazy/dhcp")
    assert new == old
    assert content_digest(image.path) == before, "the image itself was written to"


def test_a_file_of_the_root_file_system_gets_another_content(
    appliance: Appliance, overlay: DiskOverlay, image: Image, tmp_path: Path
) -> None:
    disk.replace_root(appliance, disk.with_file("/etc/http-port.txt", b"81"))
    new = root(overlay, image, tmp_path)
    assert new.read("/etc/http-port.txt") == b"81"
    assert new.read("/etc/hostname") == b"amd"


@pytest.mark.parametrize(
    ("lose", "place"),
    [
        (disk.lose_boot_partition, lambda image: image.layout.boot),
        (disk.lose_partition_table, lambda _: disk.PARTITION_TABLE),
    ],
)
def test_what_is_lost_reads_as_zeroes_and_nothing_else_is_written(
    lose: Callable[[Appliance], None],
    place: Callable[[Image], Extent],
    appliance: Appliance,
    overlay: DiskOverlay,
    image: Image,
) -> None:
    lost = place(image)
    assert any(overlay.read(lost.offset, lost.size))
    lose(appliance)
    assert not any(overlay.read(lost.offset, lost.size))
    assert overlay.written == [lost]


def test_a_blank_perm_is_no_file_system_any_more(appliance: Appliance, overlay: DiskOverlay, image: Image) -> None:
    write_perm(overlay, image, "note", b"here")
    disk.blank_perm(appliance)
    with pytest.raises(ImageError, match="no ext4"):
        read_perm(overlay, image, "note")
    assert image.perm == "ext4"
