"""MountDevices with the disks that they name, and without."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.image.hosttool import run_tool
from harness.tests.others.cells import Expected
from harness.tests.others.conftest import Judge
from harness.tests.others.run import check

pytestmark = pytest.mark.gk_tier("nightly")

UUID = "5d0c6a0e-6f3b-4f0e-9a1f-0d6b2f6f7a11"
"""That of the instance's config.json."""
TEST = "test_every_device_of_mountdevices_is_mounted_and_takes_data"
SUBJECT = "../../images/others/mount-devices"
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


def test_without_the_disks_the_first_that_is_missing_is_named(workshop: Path, judge: Judge) -> None:
    folder = workshop / "elsewhere" / "mount-devices-without"
    folder.mkdir(parents=True)
    result = check([sys.executable, "-m", "harness"], SUBJECT, TESTS, folder)
    judge("mount-devices-without", result, Expected(own={TEST: "/dev/vdb to be mounted on /mnt/data.*nothing on"}))
