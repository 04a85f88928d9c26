"""kill -9 of pytest in the middle of a scenario: after five seconds nothing is left of it."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.gk_tier("ci")

SCENARIO = """
import pathlib, threading

def test_waits(appliance):
    pathlib.Path("running").write_text(str(appliance.power.machine.pid))
    threading.Event().wait(600)
"""
START = 300.0
AFTER = 5.0
TOKEN = "GK_KILL_TEST"


def processes(token: str) -> list[int]:
    """Everything that was started with this token in its environment and still lives."""
    found = []
    wanted = f"{TOKEN}={token}".encode()
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def wait_until(limit: float, done: object) -> bool:
    deadline = time.monotonic() + limit
    pause = threading.Event()
    assert callable(done)
    while not done():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.05)
    return True


def test_nothing_is_left_of_a_run_that_was_killed(tmp_path: Path) -> None:
    token = secrets.token_hex(8)
    places = [tmp_path / "runtime", tmp_path / "work"]
    for place in places:
        place.mkdir(mode=0o700)
    (tmp_path / "test_mine.py").write_text(SCENARIO)
    environment = {**os.environ, TOKEN: token, "XDG_RUNTIME_DIR": str(places[0]), "TMPDIR": str(places[1])}
    with (tmp_path / "output").open("wb") as output:
        run = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--gk-board=virt", "test_mine.py"],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        running = tmp_path / "running"
        assert wait_until(START, lambda: running.exists() or run.poll() is not None)
        assert run.poll() is None, (tmp_path / "output").read_text()
        assert wait_until(5, lambda: running.read_text() != "")
        qemu = int(running.read_text())
        assert {run.pid, qemu} <= set(processes(token))
        assert any(path.is_file() for place in places for path in place.rglob("*.qcow2"))
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    began = time.monotonic()
    assert wait_until(AFTER, lambda: processes(token) == [])
    leftovers = [path for place in places for path in place.glob("gokharness*/run-*")]
    assert wait_until(AFTER - (time.monotonic() - began), lambda: not any(path.exists() for path in leftovers)), (
        leftovers
    )
