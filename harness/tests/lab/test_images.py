"""What a run makes of /perm. Nothing is built, and no QEMU is started here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.boards import board
from harness.errors import BoardMismatch, OptionError
from harness.image.load import load_raw
from harness.image.model import Layout, PermState
from harness.lab.images import Images
from harness.lab.journal import Journal
from harness.options import Settings
from harness.package_data import images_folder
from harness.tests.image import synthetic
from harness.tests.lab.played import PlayedFolders


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image")
    return synthetic.write_image(folder / "disk.img", folder, perm="blank")


def images(folder: Path, perm: PermState | None) -> Images:
    return Images(Settings(perm=perm), PlayedFolders(folder), Journal())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "state", "made"), [(None, "blank", False), ("blank", "blank", False), ("ext4", "ext4", True)]
)
def test_a_blank_perm_stays_blank_unless_the_run_says_otherwise(
    disk: Path, tmp_path: Path, asked: PermState | None, state: str, made: bool
) -> None:
    image = images(tmp_path, asked).given(str(disk))
    assert (image.perm, image.perm_is_made) == (state, made)
    assert any("--gk-perm ext4" in note and "in the image it is blank" in note for note in image.notes) == made
    assert load_raw(disk).perm == "blank"


def test_an_image_without_the_partition_cannot_have_it_formatted(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = load_raw(disk)
    parts = image.layout
    without = replace(image, layout=Layout(parts.boot, parts.root_a, parts.root_b, None))
    monkeypatch.setattr("harness.lab.images.image_from_file", lambda *_, **__: without)
    with pytest.raises(OptionError, match="no permanent partition"):
        images(tmp_path, "ext4").given(str(disk))


def test_an_image_that_was_replaced_under_its_name_is_read_again(tmp_path: Path) -> None:
    path = synthetic.write_image(tmp_path / "disk.img", tmp_path, perm="blank")
    known = images(tmp_path / "run", None)
    first = known.given(str(path))
    assert known.given(str(path)) is first
    assert known.source_of(first) == str(path)
    with path.open("r+b") as file:
        file.seek(440)
        file.write(b"other")
    assert known.given(str(path)).digest != first.digest


def test_a_second_appliance_may_run_an_image_of_its_test_s_owner(disk: Path, tmp_path: Path) -> None:
    known = images(tmp_path / "run", None)
    fits, other = sorted(map(board, ("virt", "pc-bios")), key=lambda one: bool(one.misfit(load_raw(disk))))
    assert known.image(fits, str(disk)).path == disk
    assert known.is_here(fits, str(disk))
    assert known.image(fits, str(disk)) is known.image(fits, str(disk))
    with pytest.raises(BoardMismatch):
        known.image(other, str(disk))


def test_a_second_appliance_may_run_an_instance_of_its_test_s_owner(tmp_path: Path) -> None:
    known = images(tmp_path, None)
    theirs = str(images_folder() / "field-arm64")
    assert known.instance(board("virt"), "hello").config.hostname == "hello-arm64"
    assert known.instance(board("virt"), theirs).config.hostname == "field-arm64"
