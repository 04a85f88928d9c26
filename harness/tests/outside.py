"""What it takes to run things as somebody does who has no clone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 600.0
"""Seconds for one step of making an environment."""
_OURS = ("PYTEST", "PYTHONPATH", "TOX")


def clean_environment(**more: str) -> dict[str, str]:
    """The variables of this process without those that lead to the clone or speak of this run, and some more."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith(_OURS)}, **more}


@dataclass(frozen=True)
class Ran:
    """What a run came to."""

    status: int
    seconds: float
    output: str


def run_in(folder: Path, command: Sequence[str], *, limit: float) -> Ran:
    """Run a command in a folder as a stranger does, at most ``limit`` seconds; output.txt has what it said."""
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=limit,
        check=False,
    )
    seconds = time.monotonic() - started
    (folder / "output.txt").write_text(done.stdout, encoding="utf-8")
    return Ran(done.returncode, seconds, done.stdout)


def programs_of_the_wheel(folder: Path, *others: str) -> Path:
    """The folder of programs in a new environment that has the project's wheel, and other packages if named."""
    _run(folder, sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT))
    (wheel,) = folder.glob("pytest_gokrazy-*.whl")
    _run(folder, sys.executable, "-m", "venv", "empty")
    programs = folder / "empty/bin"
    # What else is wanted, the set-up did not keep.
    kept = [] if others else _kept_wheels()
    _run(folder, str(programs / "pip"), "install", "--quiet", *kept, str(wheel), *others)
    return programs


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(
        command, cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _kept_wheels() -> list[str]:
    """Install from the wheels that the set-up kept, so that it works offline; else from the index."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    wheels = cache / "gokharness/wheels"
    return ["--no-index", "--find-links", str(wheels)] if wheels.is_dir() else []
