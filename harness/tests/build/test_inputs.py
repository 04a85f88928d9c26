"""What the key of an image covers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.build.inputs import PACKAGE, packer_digest


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
