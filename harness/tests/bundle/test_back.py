"""Tests fail on ``virt``; their bundles bring somebody back to disk and memory, or to the start that failed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from harness.bundle.archive import first
from harness.bundle.manifest import Manifest
from harness.bundle.repro import STANDS
from harness.gokrazy.breakglass import Breakglass
from harness.hand.stay import KEYS_HINT
from harness.package_data import images_folder
from harness.tests.outside import ROOT, clean_environment

pytestmark = [
    pytest.mark.gk_tier("ci"),
    pytest.mark.skipif(shutil.which("qemu-system-aarch64") is None, reason="QEMU is not installed"),
]

GOES_WRONG = """
def test_it_goes_wrong(appliance):
    with appliance.breakglass() as rescue:
        rescue.run("echo on the disk > /perm/word; sync")
        rescue.run("echo in memory > /tmp/word; echo not yet on it > /perm/late")
        assert rescue.run("cat /tmp/word").text == "nothing of the kind"
"""
IS_DAMAGED = """
import pytest

@pytest.fixture
def damaged(appliance_off):
    appliance_off.edit_boot_file("cmdline.txt", lambda text: text.replace(b"root=PARTUUID=6", b"root=PARTUUID=7"))
    appliance_off.power_on()
    appliance_off.wait_until_ready()
    return appliance_off

def test_it_comes_up(damaged):
    pass
"""
TWO_START = """
def test_one(appliance):
    pass

def test_two(appliance):
    pass
"""
PANICS = "Kernel panic - not syncing: VFS: Unable to mount root fs"
LIMIT = 600.0
"""Seconds for anything, on a busy host."""


def environment(cache: Path) -> dict[str, str]:
    """That of another clone with other caches; what Go has compiled may be found, or this takes a minute more."""
    go = subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, check=False)
    loader = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gokharness/systemd-boot"
    known = {"GOKHARNESS_EFI_DIR": os.environ.get("GOKHARNESS_EFI_DIR", str(loader))}
    if go.returncode == 0:
        known["GOCACHE"] = go.stdout.strip()
    return clean_environment(XDG_CACHE_HOME=str(cache), **known)


def run(folder: Path, *arguments: str, status: int, limit: float = LIMIT) -> str:
    """What a module says that is run there, and that must end so."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=clean_environment(PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit,
    )
    assert done.returncode == status, done.stdout
    return done.stdout


def failed(folder: Path, test: str, *options: str, limit: float = LIMIT) -> tuple[Path, str]:
    """The bundle of the tests that fail there, and what pytest said."""
    (folder / "test_mine.py").write_text(test)
    command = ("pytest", "-c", "/dev/null", "--gk-board=virt", "--gk-bundle=failed", *options, "test_mine.py")
    said = run(folder, *command, status=1, limit=limit)
    found = re.findall(r"^  gokharness (?:repro|replay) (\S+)  \([\d.]+ MB\)$", said, re.MULTILINE)
    assert len(found) == 1, said
    return Path(found[0]), said


def manifest(bundle: Path) -> Manifest:
    """What a bundle says."""
    return Manifest.of_json(first(bundle), bundle)


@contextmanager
def standing(bundle: Path, folder: Path) -> Iterator[str]:
    """What ``gokharness repro`` says to a person until one may type; at last that person leaves."""
    child: pexpect.spawn[str] = pexpect.spawn(
        sys.executable,
        ["-m", "harness", "repro", str(bundle)],
        cwd=folder,
        env={**environment(folder / "caches"), "PYTHONPATH": str(ROOT), "TERM": "dumb"},
        encoding="utf-8",
        timeout=LIMIT,
        dimensions=(50, 500),
    )
    try:
        child.expect_exact(KEYS_HINT)
        yield str(child.before)
        # gokrazy starts a shell at the first key.
        child.send("\r")
        child.expect_exact("# ")
        child.send("\x01c")
        # Another of that name may run on this host: then it is the second.
        child.expect(r"hello-arm64(-\d+)?> ")
        child.send("link down\r")
        child.expect_exact("the network cable is pulled")
        child.send("\x01x")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 0
    finally:
        child.close(force=True)


def test_a_bundle_brings_back_disk_and_memory_of_a_failed_test(tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    bundle, _ = failed(here, GOES_WRONG)
    bundle = bundle.rename(elsewhere / "fetched.tar.zst")
    shutil.rmtree(here)
    with standing(bundle, elsewhere) as said:
        assert "nothing of the kind" in said
        assert said.index(STANDS) < said.index("web interface: http://127.0.0.1:")
        found = re.search(r"-i (\S+) -p (\d+) root@127", said)
        assert found is not None, said
        with Breakglass("127.0.0.1", int(found[2]), key=Path(found[1])) as rescue:
            words = rescue.run("cat /perm/word /tmp/word /perm/late").text
    assert words.splitlines() == ["on the disk", "in memory", "not yet on it"]


def test_what_was_damaged_before_a_start_is_so_again_from_the_start(tmp_path: Path) -> None:
    bundle, said = failed(tmp_path, IS_DAMAGED)
    assert "1 failed" in said
    made = manifest(bundle)
    assert (made.start_disks, made.notes) == (("start-disk.qcow2",), ())
    assert made.state is not None
    said = run(tmp_path, "harness", "repro", str(bundle), "--from-start", status=1)
    assert PANICS in said[said.index("it starts from power-on") :]


@pytest.mark.gk_tier("nightly")
def test_a_start_that_fails_for_several_tests_leaves_one_bundle_with_its_disk_and_memory(tmp_path: Path) -> None:
    whole = run(tmp_path, "harness", "build", str(images_folder() / "hello-arm64"), status=0).splitlines()[-1]
    image = tmp_path / "broken.img"
    content = Path(whole).read_bytes()
    image.write_bytes(content.replace(b"root=PARTUUID=6", b"root=PARTUUID=7"))
    bundle, said = failed(tmp_path, TWO_START, f"--gk-image={image}", "--gk-bundle-disk", "--junitxml=out.xml")
    assert "2 failed" in said
    assert "bundle of test_mine.py::test_one[virt] and 1 more:" in said
    suite = ET.parse(tmp_path / "out.xml").find("testsuite")
    assert suite is not None
    assert (suite.get("failures"), suite.get("errors")) == ("2", "0")
    made = manifest(bundle)
    assert made.state is not None
    assert (made.disks, made.start_disks) == (("disk.qcow2",), ("start-disk.qcow2",))
    assert "Kernel panic" in made.case.error
    said = run(tmp_path, "harness", "repro", str(bundle), "--from-start", status=1)
    assert PANICS in said[said.index("it starts from power-on") :]
