"""A program on a leash behaves as without one, and ends with its owner and all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness.lifetime.leash import leashed
from harness.tests.traces import wait_until

LIMIT = 10.0
OWNER = textwrap.dedent(
    """
    import subprocess, sys
    from harness.lifetime.leash import leashed
    subprocess.run(leashed(["sh", "-c", sys.argv[1]]))
    """
)
FAMILY = "sleep 300 & echo $! > grandchild.new; mv grandchild.new grandchild; echo $$ > child; wait"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_status_streams_and_environment_are_the_programs_own() -> None:
    done = subprocess.run(
        leashed(["sh", "-c", "cat; echo $MINE >&2; exit 7"]),
        input=b"given",
        capture_output=True,
        env={**os.environ, "MINE": "yes"},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, b"given", b"yes\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGPIPE])
def test_a_signal_that_ends_the_program_is_seen(number: signal.Signals) -> None:
    done = subprocess.run(leashed(["sh", "-c", f"kill -{int(number)} $$"]), check=False)
    assert done.returncode == -number


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        leashed(["no-such-program-here"])
    with pytest.raises(FileNotFoundError):
        leashed(["sh"], {"PATH": "/nowhere"})


def test_the_end_of_what_it_reads_is_seen_at_once() -> None:
    with subprocess.Popen(leashed(["true"]), stdin=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None
        assert process.wait(LIMIT) == 0
        with pytest.raises(BrokenPipeError):
            process.stdin.write(b"nobody reads this")


def test_all_of_its_family_ends_with_the_command(tmp_path: Path) -> None:
    """What subprocess.run does to a command at its time limit, or when it is interrupted."""
    command = subprocess.Popen(leashed(["sh", "-c", FAMILY]), cwd=tmp_path)
    family = (tmp_path / "child", tmp_path / "grandchild")
    assert wait_until(LIMIT, lambda: all(path.exists() and path.read_text() for path in family))
    pids = [int(path.read_text()) for path in family]
    command.kill()
    assert wait_until(2.0, lambda: not any(alive(pid) for pid in pids))
    assert command.wait(LIMIT) == -signal.SIGKILL


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_all_of_its_family_ends_with_the_owner(tmp_path: Path, how: signal.Signals) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, FAMILY], cwd=tmp_path, stderr=subprocess.DEVNULL)
    family = (tmp_path / "child", tmp_path / "grandchild")
    assert wait_until(LIMIT, lambda: all(path.exists() and path.read_text() for path in family))
    pids = [int(path.read_text()) for path in family]
    assert all(alive(pid) for pid in pids)
    owner.send_signal(how)
    owner.wait(LIMIT)
    assert wait_until(2.0, lambda: not any(alive(pid) for pid in pids))


def test_ctrl_c_at_the_terminal_ends_the_family(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, FAMILY], cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True
    )
    family = (tmp_path / "child", tmp_path / "grandchild")
    assert wait_until(LIMIT, lambda: all(path.exists() and path.read_text() for path in family))
    pids = [int(path.read_text()) for path in family]
    os.killpg(owner.pid, signal.SIGINT)
    owner.wait(LIMIT)
    assert wait_until(2.0, lambda: not any(alive(pid) for pid in pids))
