"""``--gk-pause``: a run that stops where a test failed, in a terminal, with a machine that is played."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from harness.tests.traces import Traces, wait_until

LIMIT = 60
"""Seconds for anything to be shown, on a busy host."""
CONFTEST = """
import pytest

from harness import plugin
from harness.tests.hand.played import played


@pytest.fixture(scope="session")
def lab(request):
    # Its run folder and its guard are real, and a process stands for QEMU.
    lab = plugin._lab(request.config)
    lab.folders.run_dir.guard.spawn(["sleep", "600"], [])
    return lab


@pytest.fixture
def machine(request, lab, tmp_path):
    with played(tmp_path) as made:
        lab.live = {request.node.nodeid: made.appliance}.get
        yield made.appliance
"""
TESTS = """
import pytest

from harness.errors import WaitTimeout

def test_well(machine):
    pass

@pytest.mark.skip(reason="not here")
def test_skipped(machine):
    pass

def test_ill(machine):
    raise WaitTimeout("waited 3 s for the moon")

def test_well_again(machine):
    pass
"""


@pytest.fixture
def traces(pytester: pytest.Pytester) -> Iterator[Traces]:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_mine=TESTS)
    with Traces() as made:
        yield made


def begin(traces: Traces, *more: str) -> pexpect.spawn[str]:
    """Run pytest in a terminal until it pauses."""
    command = ["-m", "pytest", "-p", "no:cacheprovider", "--gk-pause", "test_mine.py", *more]
    environment = {**traces.environment, "TERM": "dumb", "COLUMNS": "200"}
    child: pexpect.spawn[str] = pexpect.spawn(
        sys.executable, command, encoding="utf-8", timeout=LIMIT, env=environment
    )
    child.expect_exact("gokrazy: paused: test_mine.py::test_ill failed in its call")
    child.expect_exact("waited 3 s for the moon")
    child.expect_exact("web interface: http://127.0.0.1:40080/  user gokrazy, password: ")
    child.expect_exact("ssh -p 40022 root@127.0.0.1")
    child.expect_exact("gokharness ctl --name mine help")
    child.expect_exact("console.log")
    return child


def sockets(traces: Traces) -> list[Path]:
    return [path for path in traces.files() if path.name == "ctl"]


def command(traces: Traces, *words: str) -> dict[str, Any]:
    """What the paused machine answers."""
    (found,) = sockets(traces)
    with socket.socket(socket.AF_UNIX) as there:
        there.connect(str(found))
        there.sendall(json.dumps({"words": words, "folder": "/"}).encode() + b"\n")
        answer: dict[str, Any] = json.loads(there.makefile().readline())
    return answer


def test_the_machine_lives_until_enter_is_pressed(traces: Traces) -> None:
    child = begin(traces)
    child.expect_exact("Enter goes on")
    assert command(traces, "reboot")["ok"]
    child.send("\r")
    child.expect(r"1 failed, 2 passed, 1 skipped")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
    assert traces.left() == []


def test_a_debugger_has_the_machine_alive(traces: Traces) -> None:
    child = begin(traces, "--pdb")
    child.expect_exact("(Pdb)")
    assert command(traces, "where")["ok"]
    child.send("machine.asked\r")
    child.expect_exact("[]")
    child.send("c\r")
    child.expect(r"1 failed, 2 passed, 1 skipped")
    child.expect(pexpect.EOF)
    child.close()
    assert traces.left() == []


def test_ctrl_c_ends_the_run_and_all_that_is_its(traces: Traces) -> None:
    child = begin(traces)
    child.expect_exact("Enter goes on")
    child.send("\x03")
    child.expect_exact("KeyboardInterrupt")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == pytest.ExitCode.INTERRUPTED
    assert traces.left() == []


def test_what_is_killed_leaves_nothing(traces: Traces) -> None:
    child = begin(traces)
    child.expect_exact("Enter goes on")
    assert any("sleep" in one for one in traces.left())
    assert sockets(traces)
    child.kill(signal.SIGKILL)
    assert wait_until(LIMIT, lambda: not traces.left()), traces.left()
    child.close(force=True)


@contextlib.contextmanager
def run(traces: Traces, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Run pytest without a terminal; it is gone at the end of the block, also where that fails."""
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--gk-pause", "test_mine.py", *more],
        env=traces.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_without_a_terminal_and_uncaptured_a_command_goes_on(traces: Traces) -> None:
    with run(traces, "--capture=no") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "gokharness ctl quit" in line:
                break
        assert command(traces, "quit")["ok"]
        said = process.communicate(timeout=LIMIT)[0]
    assert "1 failed, 2 passed, 1 skipped" in said


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["-n", "2"], "--gk-pause is for one process: leave out -n"),
        ([], "--gk-pause needs a terminal to press Enter at, or --capture=no"),
    ],
    ids=["xdist", "no terminal"],
)
def test_where_nobody_can_press_enter_it_is_refused(more: list[str], says: str, traces: Traces) -> None:
    with run(traces, *more) as process:
        said = process.communicate(timeout=LIMIT)[0]
    assert process.returncode == pytest.ExitCode.USAGE_ERROR, said
    assert says in said
    assert "Traceback" not in said
