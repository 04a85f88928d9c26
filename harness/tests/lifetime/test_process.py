from __future__ import annotations

import os
import signal
import socket
import threading

import pytest

from harness.errors import InternalError
from harness.lifetime.process import Exit
from harness.machine.run_dir import RunDir


def test_exit_status_and_output_come_back(run_dir: RunDir) -> None:
    process = run_dir.guard.spawn(["sh", "-c", "echo out; echo no room >&2; exit 3"])
    assert process.wait(10) == Exit(3, None, "out\nno room")


def test_the_signal_comes_back(run_dir: RunDir) -> None:
    process = run_dir.guard.spawn(["sleep", "100"])
    assert process.wait(0) is None
    process.signal(signal.SIGKILL)
    ended = process.wait(10)
    assert ended is not None
    assert ended.signal == signal.SIGKILL
    assert str(ended) == "signal SIGKILL"


def test_a_missing_program_says_so(run_dir: RunDir) -> None:
    ended = run_dir.guard.spawn(["no-such-program-here"]).wait(10)
    assert ended is not None
    assert ended.code == 127
    assert "cannot start no-such-program-here" in ended.stderr


def test_sockets_arrive_as_descriptors_3_and_4(run_dir: RunDir) -> None:
    one, one_there = socket.socketpair()
    two, two_there = socket.socketpair()
    process = run_dir.guard.spawn(
        ["sh", "-c", "echo first >&3; echo second >&4; ls /proc/self/fd"], [one_there, two_there]
    )
    assert one.recv(100) == b"first\n"
    assert two.recv(100) == b"second\n"
    ended = process.wait(10)
    assert ended is not None
    # 0 to 4, and the one ls reads the folder with: nothing of the guard's has leaked.
    assert len(ended.stderr.split()) == 6
    assert one.recv(1) == b""


def test_a_long_output_keeps_its_end(run_dir: RunDir) -> None:
    ended = run_dir.guard.spawn(["sh", "-c", "seq 100000; echo the end"]).wait(20)
    assert ended is not None
    assert ended.stderr.endswith("the end")
    assert len(ended.stderr) <= 64 * 1024


def test_callbacks_are_called_once_also_when_it_is_over(run_dir: RunDir) -> None:
    process = run_dir.guard.spawn(["true"])
    seen: list[Exit] = []
    called = threading.Event()

    def note(exit_: Exit) -> None:
        seen.append(exit_)
        called.set()

    process.on_exit(note)
    assert called.wait(10)
    process.on_exit(seen.append)
    assert [exit_.code for exit_ in seen] == [0, 0]


def test_closing_the_guard_ends_what_ignores_term(run_dir: RunDir) -> None:
    process = run_dir.guard.spawn(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"])
    run_dir.guard.close()
    ended = process.wait(0)
    assert ended is not None
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_a_dead_guard_is_an_error_of_ours_and_takes_its_programs_along(run_dir: RunDir) -> None:
    process = run_dir.guard.spawn(["sleep", "100"])
    os.kill(run_dir.guard.pid, signal.SIGKILL)
    assert process.wait(10) is not None
    with pytest.raises(InternalError, match="guard process is gone"):
        run_dir.guard.spawn(["true"])
