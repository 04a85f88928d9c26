"""The bill of materials as CycloneDX: valid by that project's own schema, and the same twice."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from harness.build.cyclonedx import cyclonedx
from harness.errors import ToolMissing
from harness.image.load import load_raw
from harness.image.model import Image
from harness.image.sbom import read_sbom
from harness.tests.image import synthetic
from harness.tests.image.test_sbom import INFO, document

BILL = read_sbom(
    document(go_packages=[{"path": "/user/p", "BuildID": "abc/def", "BuildInfo": f"{INFO}dep\tc\t(devel)\n"}])
)


@pytest.fixture
def image(tmp_path: Path) -> Image:
    made = load_raw(synthetic.write_image(tmp_path / "disk.img", tmp_path))
    return replace(
        made, build="2026-07-04T23:32:04Z", modules={**BILL.modules, "k.org/kernel": "v7", "d": "fork v4"}
    )


def test_it_is_valid_and_names_all_there_is(image: Image) -> None:
    text = cyclonedx(image, BILL)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    said = json.loads(text)
    purls = {one["name"]: one.get("purl") for one in said["components"]}
    assert purls["b"] == "pkg:golang/b@v2"
    assert purls["fork"] == "pkg:golang/fork@v4"
    assert purls["k.org/kernel"] == "pkg:golang/k.org/kernel@v7"
    assert purls["std"] == "pkg:golang/stdlib@1.26.8"
    # Nobody else has what lay in a folder of whoever built it.
    assert purls["c"] is None
    assert {one["name"] for one in said["components"] if one["type"] == "file"} == {"key.pub"}
    depends = {one["ref"]: one.get("dependsOn", []) for one in said["dependencies"]}
    assert depends["program /user/p"] == ["module a", "module b", "module c", "module std"]
    assert {"program /user/p", "module k.org/kernel"} <= set(depends["image"])
    assert said["metadata"]["component"]["version"] == image.build


def test_the_same_image_has_the_same_document(image: Image) -> None:
    assert cyclonedx(image, BILL) == cyclonedx(image, BILL)


def test_without_the_library_it_says_what_to_install(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cyclonedx.model.bom", None)
    with pytest.raises(ToolMissing, match="is not installed") as raised:
        cyclonedx(image, BILL)
    assert "pytest-gokrazy[sbom]" in raised.value.hint
