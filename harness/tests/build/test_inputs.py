"""What the key of an image covers."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.build.inputs import PACKAGE, packer_digest
from harness.build.request import BuildRequest
from harness.option import Option


@pytest.mark.parametrize(
    "writer", ["build/bootfs.py", "build/rootfs.py", "image/fat.py", "image/disk.py", "image/squashfs.py"]
)
def test_a_change_of_any_writer_makes_another_image(writer: str, tmp_path: Path) -> None:
    for name in ("build", "image"):
        shutil.copytree(PACKAGE / name, tmp_path / name)
    assert packer_digest(tmp_path) == packer_digest()
    with (tmp_path / writer).open("a") as file:
        file.write("# another packer\n")
    assert packer_digest(tmp_path) != packer_digest()


def test_an_option_of_a_build_is_in_the_key_by_being_there() -> None:
    @dataclass(frozen=True)
    class More(BuildRequest):
        cold: bool = Option("cold", "build a cold image", kind="flag").default(False)

    warm, cold = More("hello"), More("hello", cold=True)
    assert warm.facts("amd64") != cold.facts("amd64")


@pytest.mark.parametrize(
    ("said", "same"),
    [
        ({"perm": "ext4"}, True),
        ({"perm": "blank"}, False),
        ({"serial": True}, False),
        ({"fast_boot": True}, False),
    ],
)
def test_what_options_come_to_is_in_the_key(said: dict[str, Any], same: bool) -> None:
    usual, other = BuildRequest("hello"), BuildRequest("hello", **said)
    assert (usual.facts("amd64") == other.facts("amd64")) is same


def test_the_console_of_another_architecture_is_another_fact() -> None:
    request = BuildRequest("hello", serial=True)
    assert request.facts("amd64") != request.facts("arm64")
