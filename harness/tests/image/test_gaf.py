"""An archive that is written has what an update sends, and the bill of materials of its root file system."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from harness.errors import ImageError
from harness.image.gaf import write_gaf
from harness.image.model import UpdateFiles
from harness.image.squashfs import File, Tree, pack

SBOM = b'{"sbom_hash": "abc", "sbom": {}}\n'


def files(folder: Path, tree: Tree) -> UpdateFiles:
    made = UpdateFiles(*(folder / f"{name}.img" for name in ("root", "boot", "mbr")))
    pack(tree, made.root, mtime=0)
    made.boot.write_bytes(b"the boot file system")
    made.mbr.write_bytes(bytes(446))
    return made


def test_it_has_the_files_of_the_update_and_says_what_it_is(tmp_path: Path) -> None:
    tree = Tree()
    tree.add("/etc/gokrazy/sbom.json", File(SBOM, 0o644))
    made = files(tmp_path, tree)
    assert write_gaf(made, tmp_path / "disk.gaf") == "abc"
    with zipfile.ZipFile(tmp_path / "disk.gaf") as archive:
        assert archive.testzip() is None
        held = {name: archive.read(name) for name in archive.namelist()}
    sent = {path.name: path.read_bytes() for path in (made.mbr, made.boot, made.root)}
    assert held == {**sent, "sbom.json": SBOM}


def test_without_a_bill_of_materials_there_is_no_archive(tmp_path: Path) -> None:
    tree = Tree()
    tree.add("/etc/hostname", File(b"vm\n", 0o644))
    with pytest.raises(ImageError, match=r"sbom\.json"):
        write_gaf(files(tmp_path, tree), tmp_path / "disk.gaf")
    assert not (tmp_path / "disk.gaf").exists()
