"""``gokharness build --sbom``: the bill of materials in a file, or why there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.commands.build import _write_sbom
from harness.errors import ImageError, OptionError
from harness.image.load import load_raw
from harness.image.model import Image
from harness.image.sbom import PLACE
from harness.image.squashfs import File
from harness.tests.image import synthetic
from harness.tests.image.test_sbom import document


def with_bill(folder: Path, bill: str) -> Image:
    tree = synthetic.root_tree()
    tree.add(PLACE, File(bill.encode()), replace=PLACE in tree)
    return load_raw(synthetic.write_image(folder / "disk.raw", folder, tree=tree))


def test_the_name_of_the_file_decides_its_form(tmp_path: Path) -> None:
    image = with_bill(tmp_path, document())
    _write_sbom(image, tmp_path / "bill.json")
    assert (tmp_path / "bill.json").read_text() == document()
    _write_sbom(image, tmp_path / "bill.cdx.json")
    assert json.loads((tmp_path / "bill.cdx.json").read_text())["bomFormat"] == "CycloneDX"


def test_a_bill_that_says_nothing_and_a_file_that_cannot_be_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="the bill of materials in the image is no JSON"):
        _write_sbom(with_bill(tmp_path, "{"), tmp_path / "bill.json")
    image = with_bill(tmp_path, document())
    with pytest.raises(OptionError, match="--sbom: the file cannot be written: No such file") as raised:
        _write_sbom(image, tmp_path / "none" / "bill.json")
    assert raised.value.where == str(tmp_path / "none" / "bill.json")
