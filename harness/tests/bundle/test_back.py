"""A test fails on ``virt``; with other caches, its bundle brings somebody back to that disk and that memory."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.bundle.repro import STANDS
from harness.gokrazy.breakglass import Breakglass
from harness.tests.outside import clean_environment

pytestmark = pytest.mark.gk_tier("ci")

TEST = """
def test_it_goes_wrong(appliance):
    with appliance.breakglass() as rescue:
        rescue.run("echo on the disk > /perm/word; sync")
        rescue.run("echo in memory > /tmp/word; echo not yet on it > /perm/late")
        assert rescue.run("cat /tmp/word").text == "nothing of the kind"
"""
LIMIT = 300.0
COMMAND = """
import signal, sys
from harness.cli import main
# Whoever runs these tests in the background of a shell has it ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
"""


def environment(cache: Path) -> dict[str, str]:
    """That of another clone with other caches; what Go has compiled may be found, or this takes a minute more."""
    go = subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, check=False)
    loader = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gokharness/systemd-boot"
    known = {"GOKHARNESS_EFI_DIR": os.environ.get("GOKHARNESS_EFI_DIR", str(loader))}
    if go.returncode == 0:
        known["GOCACHE"] = go.stdout.strip()
    return clean_environment(XDG_CACHE_HOME=str(cache), **known)


def failed(folder: Path) -> tuple[Path, str]:
    """The bundle of the test that fails there, and what pytest said."""
    (folder / "test_mine.py").write_text(TEST)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            "/dev/null",
            "--gk-board=virt",
            "--gk-bundle=failed",
            "test_mine.py",
        ],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    found = re.search(r"^  gokharness repro (\S+)  \([\d.]+ MB\)$", done.stdout, re.MULTILINE)
    assert found is not None, done.stdout
    return Path(found[1]), done.stdout


@contextmanager
def standing(bundle: Path, folder: Path) -> Iterator[list[str]]:
    """The lines that ``gokharness repro`` says until it stands where the test failed; it ends by Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "repro", str(bundle)],
        cwd=folder,
        env={**environment(folder / "caches"), "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = []
    try:
        for line in process.stdout:
            said.append(line.rstrip("\n"))
            if STANDS in line:
                break
        assert STANDS in said[-1], "\n".join(said)
        yield said
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.skipif(shutil.which("qemu-system-aarch64") is None, reason="QEMU is not installed")
def test_a_bundle_brings_back_disk_and_memory_of_a_failed_test(tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    bundle, _ = failed(here)
    bundle = bundle.rename(elsewhere / "fetched.tar.zst")
    shutil.rmtree(here)
    with standing(bundle, elsewhere) as said:
        text = "\n".join(said)
        assert "nothing of the kind" in text
        found = re.search(r"ssh -p (\d+) -i (\S+)", text)
        assert found is not None, text
        with Breakglass("127.0.0.1", int(found[1]), key=Path(found[2])) as rescue:
            words = rescue.run("cat /perm/word /tmp/word /perm/late").text
    assert words.splitlines() == ["on the disk", "in memory", "not yet on it"]
