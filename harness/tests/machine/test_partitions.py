"""What the harness writes to the partitions of a disk whose machine is off: real overlays over a small image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import OptionError
from harness.image.digest import content_digest
from harness.image.fat_volume import FatVolume
from harness.image.load import load_raw
from harness.image.model import Image
from harness.image.perm import read_file
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.partitions import edit_boot_file, make_perm, read_perm, write_perm


@pytest.fixture(scope="module")
def image(small_image: Path) -> Image:
    return load_raw(small_image)


@pytest.fixture
def overlay(image: Image, tmp_path: Path) -> DiskOverlay:
    return DiskOverlay.create(image.path, tmp_path)


def in_perm(overlay: DiskOverlay, image: Image, name: str, folder: Path) -> bytes | None:
    assert image.layout.perm is not None
    return read_file(overlay.extract(image.layout.perm, folder / "read.ext4"), name)


def test_a_boot_file_changes_in_its_place_and_nothing_else_does(overlay: DiskOverlay, image: Image) -> None:
    before = content_digest(image.path)
    edit_boot_file(overlay, image, "cmdline.txt", lambda text: text.replace(b"panic=10", b"panic=99"))
    boot = FatVolume.open(overlay.source(image.layout.boot))
    old = FatVolume.open(image.path, offset=image.layout.boot.offset, size=image.layout.boot.size)
    assert boot.read("cmdline.txt") == old.read("cmdline.txt").replace(b"panic=10", b"panic=99")
    assert b"panic=99" in boot.read("cmdline.txt")
    others = [name for name in old.files() if name != "cmdline.txt"]
    assert [boot.read(name) for name in others] == [old.read(name) for name in others]
    assert content_digest(image.path) == before, "the image itself was written to"


def test_a_boot_file_keeps_its_length(overlay: DiskOverlay, image: Image) -> None:
    with pytest.raises(OptionError, match=r"cmdline\.txt cannot change its length in place: \d+ bytes, then 0"):
        edit_boot_file(overlay, image, "cmdline.txt", lambda _: b"")
    assert overlay.written == []


def test_a_file_of_perm_is_read_and_one_that_is_not_there_is_none(overlay: DiskOverlay, image: Image) -> None:
    write_perm(overlay, image, "remote_syslog/target", b"10.0.2.100:514")
    assert read_perm(overlay, image, "remote_syslog/target") == b"10.0.2.100:514"
    assert read_perm(overlay, image, "remote_syslog/nobody") is None


def test_a_file_is_put_into_perm_and_those_before_it_stay(
    overlay: DiskOverlay, image: Image, tmp_path: Path
) -> None:
    write_perm(overlay, image, "home/ntp/first", b"1")
    write_perm(overlay, image, "second", b"2")
    assert in_perm(overlay, image, "home/ntp/first", tmp_path) == b"1"
    assert in_perm(overlay, image, "second", tmp_path) == b"2"


def test_a_new_perm_is_empty_and_takes_files(overlay: DiskOverlay, image: Image, tmp_path: Path) -> None:
    write_perm(overlay, image, "old", b"1")
    make_perm(overlay, image)
    assert in_perm(overlay, image, "old", tmp_path) is None
    write_perm(overlay, image, "new", b"2")
    assert in_perm(overlay, image, "new", tmp_path) == b"2"


def test_a_perm_that_is_to_be_blank_begins_with_zeroes(overlay: DiskOverlay, image: Image) -> None:
    perm = image.layout.perm
    assert perm is not None
    assert any(overlay.read(perm.offset, 1 << 16))
    make_perm(overlay, replace(image, perm="blank"))
    assert not any(overlay.read(perm.offset, 1 << 16))


def test_without_a_permanent_partition_both_say_so(overlay: DiskOverlay, image: Image) -> None:
    lacks = replace(image, layout=replace(image.layout, perm=None))
    with pytest.raises(OptionError, match="the image has no permanent partition"):
        write_perm(overlay, lacks, "any", b"")
    with pytest.raises(OptionError, match="the image has no permanent partition"):
        make_perm(overlay, lacks)
