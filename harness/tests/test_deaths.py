"""However pytest dies, nothing is left of its machines five seconds later: real runs with a real QEMU each."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.tests.traces import Traces, wait_until

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")

CONFTEST = """
import os
from pathlib import Path
import pytest
from harness.machine.equipment import Equipment
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.run_dir import RunDir
from harness.tests.machine.specs import machine_of

@pytest.fixture
def machine(request, tmp_path_factory):
    folder = Path.cwd()
    with RunDir() as run_dir:
        overlay = DiskOverlay.create(folder / "golden.img", run_dir.folder("disk", bulky=True))
        small = Equipment(memory=64)
        machine = machine_of("pc-bios", overlay, run_dir, equipment=small)
        machine.start()
        yield machine
        (folder / "tearing-down").touch()
        if request.node.get_closest_marker("slow_end"):
            __import__("threading").Event().wait(600)
"""
TESTS = """
import os, threading
from pathlib import Path
import pytest

def ready(machine):
    Path("pid").write_text(str(os.getpid()))
    Path("ready").touch()

def test_waits(machine):
    ready(machine)
    threading.Event().wait(600)

@pytest.mark.slow_end
def test_ends_slowly(machine):
    ready(machine)
    threading.Event().wait(600)

def test_exits(machine):
    # What pytest-timeout does with its method "thread": a thread that calls os._exit.
    ready(machine)
    go = threading.Event()
    threading.Thread(target=lambda: (go.wait(0.2), os._exit(1))).start()
    go.wait(600)

def test_other():
    Path("other-ran").touch()
"""
START = 60.0
AFTER = 5.0


@dataclass
class Run:
    """A pytest run of its own, in a session of its own, with a machine that stands."""

    folder: Path
    traces: Traces
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *arguments: str, terminal: int | None = None) -> subprocess.Popen[bytes]:
        """Start pytest and wait until its test has a machine; ``terminal`` becomes its controlling terminal."""
        with (self.folder / "output").open("wb") as output:
            run = subprocess.Popen(
                # setsid --ctty: a session whose terminal is its standard input. Under nohup a run ignores SIGHUP.
                [
                    *(["setsid", "--ctty", "env", "--default-signal=HUP"] if terminal is not None else []),
                    *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "ignore", *arguments),
                ],
                cwd=self.folder,
                env=self.traces.environment,
                stdin=subprocess.DEVNULL if terminal is None else terminal,
                stdout=output,
                stderr=output,
                start_new_session=terminal is None,
            )
        self.running.append(run)
        ready = self.folder / "ready"
        assert wait_until(START, lambda: ready.exists() or run.poll() is not None)
        assert ready.exists(), self.said
        assert len(self.traces.processes()) >= 3, self.said  # pytest, the guard, QEMU
        assert any(path.suffix == ".qcow2" for path in self.traces.files())
        bases = {path.parents[1].name for path in self.traces.files() if path.name == "lock"}
        assert bases == {"gokharness", f"gokharness-work-{os.getuid()}"}
        return run

    @property
    def said(self) -> str:
        return (self.folder / "output").read_text(errors="replace")

    def nothing_is_left(self) -> None:
        assert wait_until(AFTER, lambda: not self.traces.left()), f"{self.traces.left()}\n{self.said}"


@pytest.fixture
def run(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_mine.py").write_text(TESTS)
    with (folder / "golden.img").open("wb") as golden:
        golden.truncate(1 << 20)
    with Traces(tmp_path_factory.getbasetemp() / "bytecode") as traces:
        made = Run(folder, traces)
        yield made
    for process in made.running:
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_of_this_user_or_of_a_kernel_that_is_out_of_memory(run: Run, number: signal.Signals) -> None:
    process = run.start("test_mine.py::test_waits")
    process.send_signal(number)
    run.nothing_is_left()


def test_a_thread_that_calls_os_exit(run: Run) -> None:
    process = run.start("test_mine.py::test_exits")
    assert process.wait(START) == 1
    run.nothing_is_left()


def test_ctrl_c(run: Run) -> None:
    process = run.start("test_mine.py::test_waits")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(START) == 2
    run.nothing_is_left()


def test_ctrl_c_twice(run: Run) -> None:
    process = run.start("test_mine.py::test_ends_slowly")
    os.killpg(process.pid, signal.SIGINT)
    assert wait_until(START, (run.folder / "tearing-down").exists)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(START)
    run.nothing_is_left()


def test_a_terminal_that_is_closed(run: Run) -> None:
    ours, theirs = pty.openpty()
    process = run.start("test_mine.py::test_waits", terminal=theirs)
    os.close(theirs)
    os.close(ours)
    process.wait(START)
    run.nothing_is_left()


def test_a_worker_of_xdist_dies_and_the_run_goes_on(run: Run) -> None:
    process = run.start("-n", "1", "test_mine.py::test_waits", "test_mine.py::test_other")
    worker = int((run.folder / "pid").read_text())
    assert worker != process.pid
    before = set(run.traces.processes())
    os.kill(worker, signal.SIGKILL)
    # The new worker starts with tests of its own: of the old one, its guard and its QEMU go.
    assert process.wait(START) == 1
    assert "worker 'gw0' crashed while running" in run.said
    assert (run.folder / "other-ran").exists()
    assert not before & set(run.traces.processes())
    run.nothing_is_left()


def test_the_controller_of_xdist_dies(run: Run) -> None:
    process = run.start("-n", "1", "test_mine.py::test_waits")
    process.kill()
    run.nothing_is_left()


def test_the_next_run_removes_what_a_host_without_power_left(run: Run) -> None:
    """Nobody is left to clean up: pytest and its guard die at once, as all does when the power goes."""
    process = run.start("test_mine.py::test_waits")
    for pid in run.traces.processes():
        os.kill(pid, signal.SIGSTOP)
    for pid in run.traces.processes():
        os.kill(pid, signal.SIGKILL)
    process.wait(START)
    assert wait_until(AFTER, lambda: not run.traces.processes())
    assert any(path.suffix == ".qcow2" for path in run.traces.files())
    for name in ("ready", "pid"):
        (run.folder / name).unlink()
    again = run.start("test_mine.py::test_waits")
    assert len([path for path in run.traces.files() if path.suffix == ".qcow2"]) == 1
    again.kill()
    run.nothing_is_left()
