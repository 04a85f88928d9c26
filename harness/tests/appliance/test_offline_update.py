"""Seeding the slot that is down: a real disk overlay, over a small image."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.appliance.offline_update import NAMING_THE_SLOT, install_offline, put_back_offline
from harness.console.slot import Slot, slot_of
from harness.errors import ApplianceFault
from harness.image.digest import content_digest
from harness.image.fat_volume import FatVolume
from harness.image.load import load_raw
from harness.image.model import Image
from harness.image.squashfs import File
from harness.image.update_files import update_files
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.partitions import edit_boot_file
from harness.tests.image import synthetic


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("first")
    return load_raw(synthetic.write_image(folder / "disk.raw", folder))


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("second")
    tree = synthetic.root_tree()
    tree.add("/etc/release", File(b"second"))
    kernel = synthetic.bzimage("7.9.9")
    return load_raw(synthetic.write_image(folder / "disk.raw", folder, tree=tree, kernel=kernel))


@pytest.fixture
def overlay(first: Image, tmp_path: Path) -> DiskOverlay:
    return DiskOverlay.create(first.path, tmp_path)


def slots(overlay: DiskOverlay, image: Image) -> set[Slot | None]:
    boot = FatVolume.open(overlay.source(image.layout.boot))
    return {slot_of(boot.read(name).decode()) for name in NAMING_THE_SLOT}


def switch(overlay: DiskOverlay, image: Image) -> None:
    """What the device does."""
    for name in NAMING_THE_SLOT:
        edit_boot_file(overlay, image, name, lambda text: text.replace(b"PARTNROFF=1", b"PARTNROFF=2"))


def test_the_slot_that_is_down_gets_it_and_the_boot_files_name_the_other(
    overlay: DiskOverlay, first: Image, second: Image, tmp_path: Path
) -> None:
    before = content_digest(first.path)
    files = update_files(second, tmp_path / "update")
    assert install_offline(overlay, first.layout, second, files) == "B"
    root = files.root.read_bytes()
    assert overlay.read(first.layout.root_b.offset, len(root)) == root
    assert overlay.read(first.layout.root_a.offset, len(root)) != root
    assert overlay.read(0, 446) == files.mbr.read_bytes()
    boot = FatVolume.open(overlay.source(first.layout.boot))
    assert boot.read("vmlinuz") == synthetic.bzimage("7.9.9")
    assert slots(overlay, first) == {"A"}
    assert content_digest(first.path) == before, "the image itself was written to"


def test_while_slot_b_runs_slot_a_gets_it(
    overlay: DiskOverlay, first: Image, second: Image, tmp_path: Path
) -> None:
    switch(overlay, first)
    files = update_files(second, tmp_path / "update")
    assert install_offline(overlay, first.layout, second, files) == "A"
    root = files.root.read_bytes()
    assert overlay.read(first.layout.root_a.offset, len(root)) == root
    assert slots(overlay, first) == {"B"}


def test_a_disk_that_names_no_slot_is_refused(
    overlay: DiskOverlay, first: Image, second: Image, tmp_path: Path
) -> None:
    edit_boot_file(overlay, first, "cmdline.txt", lambda text: b" " * len(text))
    with pytest.raises(ApplianceFault, match=r"cmdline\.txt names no slot"):
        install_offline(overlay, first.layout, second, update_files(second, tmp_path / "update"))


def test_what_ran_before_is_put_back_for_the_slot_that_has_it(
    overlay: DiskOverlay, first: Image, second: Image, tmp_path: Path
) -> None:
    files, wrong = update_files(first, tmp_path / "first"), update_files(second, tmp_path / "second")
    # A whole update: the other root, its boot files and MBR, and the switch.
    assert install_offline(overlay, first.layout, second, wrong) == "B"
    switch(overlay, second)
    assert put_back_offline(overlay, first.layout, first, files) == "A"
    assert slots(overlay, first) == {"A"}
    assert overlay.read(first.layout.boot.offset, 4096) == files.boot.read_bytes()[:4096]
    assert put_back_offline(overlay, first.layout, second, wrong) == "B"
    assert slots(overlay, second) == {"B"}


def test_what_no_slot_has_is_not_put_back(
    overlay: DiskOverlay, first: Image, second: Image, tmp_path: Path
) -> None:
    before = overlay.read(0, 4096)
    with pytest.raises(ApplianceFault, match="neither slot has the root file system"):
        put_back_offline(overlay, first.layout, second, update_files(second, tmp_path / "second"))
    assert overlay.read(0, 4096) == before
