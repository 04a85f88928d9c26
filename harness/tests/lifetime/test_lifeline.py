"""A process that ends with the one that started it, also when that was gone before it could look."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness.tests.traces import Traces, wait_until

PARENT = textwrap.dedent(
    """
    import os, subprocess, sys
    child = "import os, sys, threading; {}; from harness.lifetime.lifeline import end_with_parent;"
    child += "end_with_parent(int(sys.argv[1])); open('ready', 'w').close(); threading.Event().wait(300)"
    child = child.format("threading.Event().wait(1)" if sys.argv[1] == "late" else "pass")
    subprocess.Popen([sys.executable, "-c", child, str(os.getpid())])
    open("started", "w").close()
    sys.stdin.read()
    """
)


@pytest.mark.parametrize("when", ["late", "in time"])
def test_it_ends_with_its_parent(tmp_path: Path, when: str) -> None:
    with Traces() as traces:
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, when], cwd=tmp_path, env=traces.environment, stdin=subprocess.PIPE
        )
        awaited = tmp_path / ("started" if when == "late" else "ready")
        assert wait_until(20, awaited.exists)
        assert len(traces.processes()) == 2
        parent.send_signal(signal.SIGKILL)
        parent.communicate()
        assert wait_until(10, lambda: not traces.processes())
        assert (tmp_path / "ready").exists() is (when == "in time")
