"""What is for another architecture is named by the disk; what is not, or cannot be read, is blamed for nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.appliance.foreign import why_foreign
from harness.boards import board
from harness.errors import BoardMismatch, FirmwareFailure
from harness.firmware.direct import DirectStage
from harness.image.load import load_raw
from harness.image.model import Image
from harness.machine.disk_overlay import DiskOverlay
from harness.tests.appliance.played import appliance
from harness.tests.image import synthetic


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("amd")
    return load_raw(synthetic.write_image(folder / "disk.raw", folder))


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("arm")
    return load_raw(synthetic.write_image(folder / "disk.raw", folder, hostname="arm", arch="arm64"))


def disk(image: Image, folder: Path) -> DiskOverlay:
    return DiskOverlay.create(image.path, folder)


def test_a_healthy_disk_is_blamed_for_nothing(image: Image, arm: Image, tmp_path: Path) -> None:
    assert why_foreign(disk(image, tmp_path), image.layout, board("pc-bios")) is None
    (tmp_path / "arm").mkdir()
    assert why_foreign(disk(arm, tmp_path / "arm"), arm.layout, board("virt")) is None


def test_a_foreign_kernel_is_named(arm: Image, tmp_path: Path) -> None:
    why = why_foreign(disk(arm, tmp_path), arm.layout, board("pc-bios"))
    assert why is not None
    assert why.what == "the kernel in the boot partition is for arm64, and pc-bios is amd64"
    assert "put the boot files" in why.hint


def test_a_foreign_root_is_named_by_the_slot_that_starts_next(image: Image, tmp_path: Path) -> None:
    overlay = disk(image, tmp_path)
    folder = tmp_path / "other"
    folder.mkdir()
    tree = synthetic.root_tree(arch="arm64")
    kernel = synthetic.arm64_image()
    other = load_raw(synthetic.write_image(folder / "disk.raw", folder, arch="arm64", tree=tree, kernel=kernel))
    overlay.write(image.layout.root_b.offset, other.path.read_bytes()[other.layout.root_a.offset :][: 1 << 20])
    assert why_foreign(overlay, image.layout, board("pc-bios")) is None
    overlay.write(image.layout.root_a.offset, other.path.read_bytes()[other.layout.root_a.offset :][: 1 << 20])
    why = why_foreign(overlay, image.layout, board("pc-bios"))
    assert why is not None
    assert why.what == "/gokrazy/init in slot A, which starts next, is for arm64, and pc-bios is amd64"


def test_a_disk_that_cannot_be_read_is_blamed_for_nothing(image: Image, tmp_path: Path) -> None:
    overlay = disk(image, tmp_path)
    overlay.write(image.layout.root_a.offset, bytes(4096))
    assert why_foreign(overlay, image.layout, board("virt-uefi")) is not None
    assert why_foreign(overlay, image.layout, board("pc-bios")) is None
    overlay.write(image.layout.boot.offset, bytes(4096))
    assert why_foreign(overlay, image.layout, board("virt-uefi")) is None


def test_a_foreign_kernel_is_not_started_where_the_harness_starts_it(image: Image, tmp_path: Path) -> None:
    (tmp_path / "stage").mkdir()
    stage = DirectStage(image.layout.boot, tmp_path / "stage", arch="arm64")
    with pytest.raises(FirmwareFailure, match="is a kernel for amd64, and this board is arm64"):
        stage.prepare(disk(image, tmp_path))


def test_nothing_is_sent_for_another_architecture_unless_it_is_forced(tmp_path: Path, arm: Image) -> None:
    subject: Any = appliance(tmp_path, "virt", no_quirks=False)
    subject.console.close()
    subject._files_of = lambda image: "files"
    foreign = replace(arm, arch="amd64")
    for send in (subject.update, subject.seed_inactive, subject.update_boot_only, subject.send_root):
        with pytest.raises(
            BoardMismatch, match="was not sent: it is built for amd64, and virt is arm64"
        ) as raised:
            send(foreign)
        assert "GOARCH=arm64" in raised.value.hint
    assert subject._fitting(foreign, force=True) == "files"
    assert subject._fitting(arm, force=False) == "files"
