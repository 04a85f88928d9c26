"""Whether Go files are formatted."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def unformatted(folder: Path) -> str:
    """The files below that gofmt would change, and what it says; it comes with Go, and is often not on PATH."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed, so the format of its files cannot be checked")
    root = subprocess.run([go, "env", "GOROOT"], cwd=folder, capture_output=True, text=True, check=True)
    gofmt = Path(root.stdout.strip()) / "bin/gofmt"
    done = subprocess.run([gofmt, "-l", "."], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr
