"""Runs of the command where ``gok`` is on PATH: a strict stand-in, but real programs, kernel and QEMU."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.build.inputs import folder_digest
from harness.package_data import images_folder

pytestmark = pytest.mark.gk_tier("nightly")

FLIP = "test_update_flips_the_slot_and_back_and_keeps_the_data"


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """An instance with relative paths to its neighbours, in a folder of its own."""
    shutil.copytree(images_folder(), tmp_path / "images")
    return tmp_path / "images" / "hello-arm64"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with the stand-in on PATH, which counts how often it is asked for an image."""
    program = tmp_path / "bin" / "gok"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\n'
        f'exec {sys.executable} -P -m harness.tests.build.gok_stand_in "$@"\n'
    )
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "XDG_CONFIG_HOME": str(tmp_path)}


def gokharness(folder: Path, environ: dict[str, str], *arguments: str) -> str:
    """Run the command in a folder; returns what it printed, and fails with it."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def asked(folder: Path) -> int:
    """How often gok was asked for an image."""
    return (folder / "asked").read_text().count(" overwrite ") if (folder / "asked").exists() else 0


@pytest.mark.parametrize("builder", ["auto", "gok"])
def test_gok_builds_both_images_once_and_the_instance_stays_as_it_was(
    instance: Path, tmp_path: Path, environ: dict[str, str], builder: str
) -> None:
    before = folder_digest(tmp_path / "images")
    check = ("check", str(instance), "--board", "virt", f"--builder={builder}", "--cache", str(tmp_path / "cache"))
    said = gokharness(tmp_path, environ, *check, "--", "-k", FLIP)
    assert "1 passed" in said
    assert "builder gok" in said
    assert said.count("by gok, ") == 2, "which builder made which image is said"
    assert asked(tmp_path) == 2
    assert "1 passed" in gokharness(tmp_path, environ, *check, "--", "-k", FLIP)
    assert asked(tmp_path) == 2, "the second run builds nothing"
    assert folder_digest(tmp_path / "images") == before


def test_the_own_packer_builds_both_images_where_it_is_asked_for(
    instance: Path, tmp_path: Path, environ: dict[str, str]
) -> None:
    before = folder_digest(tmp_path / "images")
    said = gokharness(
        tmp_path, environ, "check", str(instance), "--board", "virt", "--builder=own", "--", "-k", FLIP
    )
    assert "1 passed" in said
    assert said.count("by own, ") == 2
    assert asked(tmp_path) == 0
    assert folder_digest(tmp_path / "images") == before
