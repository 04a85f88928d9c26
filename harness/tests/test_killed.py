"""kill -9 of pytest in the middle of a scenario: after five seconds nothing is left of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.tests.traces import Traces, wait_until

pytestmark = pytest.mark.gk_tier("ci")

SCENARIO = """
import pathlib, threading

def test_waits(appliance):
    pathlib.Path("running").write_text(str(appliance.power.machine.pid))
    threading.Event().wait(600)
"""
START = 300.0
AFTER = 5.0


def test_nothing_is_left_of_a_run_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(SCENARIO)
    with Traces() as traces, (tmp_path / "output").open("wb") as output:
        run = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--gk-board=virt", "test_mine.py"],
            cwd=tmp_path,
            env=traces.environment,
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
            assert {run.pid, qemu} <= set(traces.processes())
            assert any(path.suffix == ".qcow2" for path in traces.files())
        finally:
            run.send_signal(signal.SIGKILL)
            run.wait()
        assert wait_until(AFTER, lambda: not traces.left()), traces.left()
