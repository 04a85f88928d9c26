"""/perm and other file systems where they are not by default: on other disks, and on a larger one."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from harness.image.hosttool import run_tool
from harness.lab.lab import Lab
from harness.options import Settings
from harness.tests.others.cells import Expected
from harness.tests.others.conftest import Judge
from harness.tests.others.run import check

pytestmark = pytest.mark.gk_tier("nightly")

UUID = "5d0c6a0e-6f3b-4f0e-9a1f-0d6b2f6f7a11"
"""That of the instance's config.json."""
TEST = "test_every_device_of_mountdevices_is_mounted_and_takes_data"
SUBJECT = "../../images/others/mount-devices"
LARGER = 4 << 30
"""Bytes."""
TESTS = ("--board", "virt", "--perm", "blank", "--", "-k", f"{TEST} or expected_state or announced")


def ext4(path: Path, *options: str) -> Path:
    with path.open("wb") as file:
        file.truncate(64 << 20)
    made = run_tool(["mke2fs", "-q", "-t", "ext4", *options, path])
    assert made.returncode == 0, made.stderr
    return path


def test_a_disk_by_name_and_one_by_the_uuid_of_its_file_system(workshop: Path, judge: Judge) -> None:
    folder = workshop / "elsewhere" / "mount-devices"
    folder.mkdir(parents=True)
    ext4(folder / "data.img")
    ext4(folder / "perm.img", "-U", UUID)
    before = (folder / "perm.img").read_bytes()
    result = check(
        [sys.executable, "-m", "harness"], SUBJECT, ("--disk", "data.img", "--disk", "perm.img", *TESTS), folder
    )
    judge("mount-devices", result, Expected())
    assert (folder / "perm.img").read_bytes() == before, "a disk of the user's was written to"


def test_a_perm_on_a_larger_disk_has_its_room(workshop: Path, judge: Judge) -> None:
    """As gok does it: /perm is what is left of the disk that config.json or its flag names."""
    folder = workshop / "elsewhere" / "larger-disk"
    folder.mkdir(parents=True)
    instance = workshop / "images" / "others" / "larger-disk"
    shutil.copytree(workshop / "images" / "others" / "own-ports", instance)
    config = instance / "config.json"
    said = json.loads(config.read_text("utf-8"))
    said["InternalCompatibilityFlags"] = {"TargetStorageBytes": LARGER}
    config.write_text(json.dumps(said), "utf-8")
    test = "test_it_has_the_room_of_its_partition"
    result = check(
        [sys.executable, "-m", "harness"],
        "../../images/others/larger-disk",
        ("--board", "virt", "--", "-k", test),
        folder,
    )
    judge("larger-disk", result, Expected())
    with Lab(Settings(boards=("virt",), artifacts=folder / "apart")) as lab:
        perm = lab.images.build(str(instance)).layout.perm
    assert perm is not None
    assert perm.size > LARGER * 0.6
