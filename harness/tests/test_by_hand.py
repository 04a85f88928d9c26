"""A person in front of a real appliance on ``virt``, through a pseudo-terminal, and a script beside: one boot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from harness.package_data import images_folder
from harness.store.root import default_root
from harness.tests.traces import Traces

pytestmark = pytest.mark.gk_tier("ci")

COMES_UP = 300.0
"""Seconds for a machine to find room on a busy host, and to boot."""


def test_a_machine_is_typed_at_and_commanded_and_leaves_nothing(tmp_path: Path) -> None:
    with Traces() as traces:
        command = [
            "-m",
            "harness",
            "boot",
            str(images_folder() / "hello-arm64"),
            "--board",
            "virt",
            "--name",
            "mine",
        ]
        command += ["--cache", str(default_root())]
        child: pexpect.spawn[str] = pexpect.spawn(
            sys.executable, command, encoding="utf-8", timeout=COMES_UP, cwd=tmp_path, env=traces.environment
        )
        try:
            stand(child, traces, tmp_path)
        finally:
            child.close(force=True)
        assert traces.left() == []
    recorded = (tmp_path / ".gokharness/boot-mine/console.log").read_text(errors="replace")
    assert recorded.count("Linux version") >= 2
    assert "test-password" not in recorded


def stand(child: pexpect.spawn[str], traces: Traces, folder: Path) -> None:
    """Do what a person does, and a script."""
    child.expect(
        r"web interface: http://127\.0\.0\.1:\d+/  user gokrazy, password: HTTPPassword in \S+config\.json"
    )
    child.expect("SSH, once breakglass is started: ssh .* -p [0-9]+ root@127")
    child.expect_exact("it is ready")
    assert "test-password" not in str(child.before)
    # gokrazy starts a shell at the first key.
    child.send("\r")
    child.expect_exact("# ")
    child.send("echo $((40 + 2)) > /tmp/kept; cat /tmp/kept\r")
    child.expect(r"\n42\r\n")

    child.send("\x01c")
    child.expect_exact("mine> ")
    child.send("checkpoint here\r")
    child.expect_exact("checkpoint 'here' is kept")

    answer = ctl(traces, folder, "reboot")
    assert answer["ok"], answer
    assert "ready after" in answer["said"]
    child.expect_exact("Linux version")
    answer = ctl(traces, folder, "rewind", "here")
    assert answer["ok"], answer
    # The very shell is there again, and what only its memory had.
    child.send("cat /tmp/kept\r")
    child.expect(r"\n42\r\n")

    child.send("\x01x")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0


def ctl(traces: Traces, folder: Path, *words: str) -> dict[str, Any]:
    """What a script gets for an answer."""
    command = [sys.executable, "-m", "harness", "ctl", "--name", "mine", *words]
    done = subprocess.run(command, cwd=folder, env=traces.environment, stdout=subprocess.PIPE, timeout=COMES_UP)
    answer: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if answer["ok"] else 1)
    return answer
