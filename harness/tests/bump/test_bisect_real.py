"""The first bad kernel of sixteen, found unattended on ``virt``; and that of six by ``git bisect run``."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.bump.bump import VERSIONS
from harness.package_data import images_folder
from harness.tests.bump.kernels import copy_of_kernel, other_modules, says
from harness.tests.outside import clean_environment
from harness.tests.sources import git

pytestmark = pytest.mark.gk_tier("nightly")

BUMP = [sys.executable, "-m", "harness", "bump", str(images_folder() / "hello-arm64"), "--board", "virt"]


def repository(
    folder: Path, bad: Callable[[Path], None], *, bad_from: int, count: int, lacking: Sequence[int] = ()
) -> list[str]:
    """Make a checkout with so many commits of the kernel of the own instance; returns them.

    Each says something else on its command line. From ``bad_from`` on it is ``bad``; those ``lacking`` have no
    kernel at all.
    """
    copy_of_kernel("arm64", folder)
    (folder / ".gitignore").unlink(missing_ok=True)
    kernel, cmdline = folder / "vmlinuz", (folder / "cmdline.txt").read_text()
    aside = folder.with_name("vmlinuz")
    git(folder, "init", "-q", "-b", "main")
    commits = []
    for number in range(count):
        (folder / "cmdline.txt").write_text(cmdline)
        if number == bad_from:
            bad(folder)
            cmdline = (folder / "cmdline.txt").read_text()
        says(f"harness.version={number}")(folder)
        if number in lacking:
            kernel.rename(aside)
        git(folder, "add", "-A")
        git(folder, "commit", "-qm", f"version {number}")
        commits.append(git(folder, "rev-parse", "HEAD").strip())
        if number in lacking:
            aside.rename(kernel)
    return commits


def test_of_sixteen_versions_the_bad_one_is_found_in_four_steps(tmp_path: Path) -> None:
    folder = tmp_path / "kernel"
    commits = repository(folder, says("init=/nothing"), bad_from=11, count=16)
    began = time.monotonic()
    done = subprocess.run(
        [*BUMP, "--kernel", str(folder), "--bisect", commits[0], commits[-1], "--row", "boots"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"{time.monotonic() - began:.0f} s\n{done.stderr}\n{done.stdout}")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith(f"first bad: {folder}@{commits[11]}\n")
    assert "virt: boots: " in done.stdout
    assert "init" in done.stdout
    assert len(re.findall("candidates left", done.stderr)) == 4


def test_git_bisect_run_finds_it_and_passes_over_what_cannot_be_built(tmp_path: Path) -> None:
    folder = tmp_path / "kernel"
    commits = repository(folder, other_modules, bad_from=4, count=6, lacking=[2])
    git(folder, "checkout", "-q", "--detach", commits[-1])
    git(folder, "bisect", "start", commits[-1], commits[0])
    # Whichever git would take, the one that cannot be built is asked for.
    git(folder, "checkout", "-q", "--detach", commits[2])
    command = [*BUMP, "--kernel", ".", "--row", VERSIONS, "--artifacts", str(tmp_path / "logs")]
    done = subprocess.run(
        ["git", "-C", str(folder), "bisect", "run", "sh", "-c", shlex.join(command)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stderr, done.stdout)
    assert f"{commits[4]} is the first bad commit" in done.stdout
    assert "the new side cannot be built" in done.stdout + done.stderr
    assert f"# skip: [{commits[2]}]" in git(folder, "bisect", "log")
