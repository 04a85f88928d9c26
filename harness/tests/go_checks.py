"""Whether Go files are formatted, and pass Go's own checks."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.build.go import STEADY

LIMIT = 900
"""Seconds: what joins a tailnet takes minutes to compile."""


def unformatted(folder: Path) -> str:
    """The files below that gofmt would change, and what it says; it comes with Go, and is often not on PATH."""
    root = subprocess.run([_go(), "env", "GOROOT"], cwd=folder, capture_output=True, text=True, check=True)
    gofmt = Path(root.stdout.strip()) / "bin/gofmt"
    done = subprocess.run([gofmt, "-l", "."], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def must_pass(folder: Path, *command: str, mod: str = "readonly", fetches: bool = False) -> None:
    """Have go do this with the programs in a folder, for Linux; fails with what it said.

    Nothing is asked of the network unless it ``fetches`` modules. The flags are those of the images: what was
    compiled for one is there for the other.
    """
    flags = {"GOFLAGS": f"-mod={mod} {STEADY[0]}", "CGO_ENABLED": "0"}
    proxy = {} if fetches else {"GOPROXY": "off"}
    typed = [_go(), *command]
    done = subprocess.run(
        typed,
        cwd=folder,
        env={**os.environ, **proxy, "GOTOOLCHAIN": "local", "GOOS": "linux", **flags},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _go() -> str:
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed, so its programs cannot be checked")
    return go
