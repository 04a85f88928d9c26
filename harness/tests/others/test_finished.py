"""Finished images of the instances, with /perm blank, checked from an environment that holds the wheel alone."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from harness.image.layout import read_layout
from harness.image.squashfs import SquashFs
from harness.tests.others.cells import FINISHED, Finished, expected_of
from harness.tests.others.conftest import Judge
from harness.tests.others.run import check
from harness.tests.outside import ROOT, programs_of_the_wheel

pytestmark = pytest.mark.gk_tier("nightly")

KEY = ROOT / "harness/tests/data/others/id_ed25519"
WANTED = os.environ.get("GK_BOARDS", "").split()
CHUNK = 1 << 20


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment into which only the wheel was installed."""
    return programs_of_the_wheel(tmp_path_factory.mktemp("installed")) / "gokharness"


@pytest.mark.parametrize(
    "finished", [row for row in FINISHED if not WANTED or row.board in WANTED], ids=lambda row: row.name
)
def test_a_finished_image(finished: Finished, workshop: Path, installed: Path, judge: Judge) -> None:
    folder = workshop / "finished" / finished.name
    folder.mkdir(parents=True)
    instance = workshop / "images/others" / finished.instance
    built = subprocess.run(
        [sys.executable, "-m", "harness", "build", str(instance), "--perm", "blank"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    disk = Path(built.stdout.splitlines()[0])
    pack(disk, folder / f"disk.{finished.format}")
    options = ["--board", finished.board]
    if finished.key:
        options += ["--ssh-key", str(KEY)]
    result = check([str(installed)], f"disk.{finished.format}", options, folder)
    # How an image was configured, it does not say: only what must not fail is expected of it.
    judge(finished.name, result, replace(expected_of(finished.instance), reasons=(), says=()))


def pack(disk: Path, out: Path) -> None:
    """Make a file of this name out of the disk, as its owner would."""
    kinds = out.suffixes
    plain = out.with_suffix("") if len(kinds) > 1 else out
    if kinds[0] == ".qcow2":
        subprocess.run(["qemu-img", "convert", "-O", "qcow2", disk, plain], check=True)
    elif kinds[0] == ".gaf":
        archive(disk, plain)
    else:
        subprocess.run(["cp", "--sparse=always", disk, plain], check=True)
    if len(kinds) == 1:
        return
    if kinds[1] == ".zst":
        subprocess.run(["zstd", "-q", "-1", "--rm", plain], check=True)
        return
    with plain.open("rb") as source:
        if kinds[1] == ".gz":
            with gzip.open(out, "wb", 1) as zipped:
                shutil.copyfileobj(source, zipped, CHUNK)
        else:
            with lzma.open(out, "wb", preset=0) as pressed:
                shutil.copyfileobj(source, pressed, CHUNK)
    plain.unlink()


def archive(disk: Path, out: Path) -> None:
    """A .gaf, as ``gok overwrite --gaf`` writes it."""
    layout = read_layout(disk)
    sbom = SquashFs(disk, layout.root_a.offset).read("/etc/gokrazy/sbom.json")
    with disk.open("rb") as file, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        target.writestr("mbr.img", file.read(446))
        for name, place in (("boot.img", layout.boot), ("root.img", layout.root_a)):
            file.seek(place.offset)
            target.writestr(name, file.read(place.size))
        target.writestr("sbom.json", sbom)
