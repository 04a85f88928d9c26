"""A new board is one file: a copy of the project with one more module in ``boards/`` knows it everywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.tests.outside import ROOT

NAME = "virt-a57"
MODULE = f'''"""arm64 virtual machine with another processor."""

from dataclasses import replace

from harness.boards.virt import BOARD as VIRT

BOARD = replace(VIRT, name="{NAME}", title="arm64 virtual machine with a Cortex-A57", cpu="cortex-a57")
'''
PAGES = ("README.md", "CHANGELOG.md", "docs")
TESTS = (
    "harness/tests/test_readme.py",
    "harness/tests/boards",
    "harness/tests/build/test_boot_names.py",
    "harness/tests/host/test_doctor.py",
    "harness/tests/host/test_requirements.py",
    "harness/tests/machine/test_command.py",
    "harness/tests/machine/test_equipment.py",
)
"""Those that look at all boards, or at the documents about them."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the new board."""
    copy = tmp_path_factory.mktemp("with-a-new-board") / "project"
    for name in ("harness", "scenarios"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("conftest.py", "pyproject.toml", "images", "ci", *PAGES):
        if (ROOT / name).exists():
            (copy / name).symlink_to(ROOT / name)
    (copy / "harness/boards/virt_a57.py").write_text(MODULE)
    return copy


def run(project: Path, *arguments: str) -> str:
    """What Python says, run in the copy with these arguments; an error is the test's."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": f"{project}{os.pathsep}{project / 'harness/entry'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_it_is_found_in_the_place_that_its_own_data_give_it(project: Path) -> None:
    shown = "from harness import boards; print(*boards.names(), boards.table(), sep='\\n')"
    done = subprocess.check_output([sys.executable, "-c", shown], cwd=project, text=True)
    names = done.split("\n|")[0].split()
    assert names[names.index("virt") + 1] == NAME
    assert f"| `{NAME}`: arm64 virtual machine with a Cortex-A57 |" in done


def test_a_run_takes_it(project: Path) -> None:
    listed = run(project, "pytest", "scenarios/test_boot.py", "--collect-only", "-q", "--gk-board", NAME)
    assert f"web_interface[{NAME}]" in listed
    assert "[virt]" not in listed
    # It is a copy of a board of the default set, so it is in that set too.
    by_default = run(project, "pytest", "scenarios/test_boot.py", "--collect-only", "-q")
    assert all(f"web_interface[{name}]" in by_default for name in ("pc-bios", "virt", NAME))


def test_no_test_and_no_document_needs_a_word_about_it(project: Path) -> None:
    run(project, "pytest", "-q", *TESTS, "--ignore", "harness/tests/boards/test_new_board.py")


@pytest.mark.gk_tier("nightly")
def test_an_appliance_boots_on_it(project: Path) -> None:
    said = run(
        project,
        *("pytest", "scenarios/test_boot.py", "--gk-board", NAME, "--gk-strict", "-v"),
        # That it boots is the question here, not how long a busy host takes for it.
        *("-k", "from_power_on_to_its_web_interface", "--gk-time-factor", "4"),
    )
    assert f"web_interface[{NAME}] PASSED" in said
