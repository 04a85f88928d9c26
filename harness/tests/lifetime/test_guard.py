"""Nothing is left when the owner dies: with a real QEMU, and the owner killed in every way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

OWNER = textwrap.dedent(
    """
    import os, sys, socket
    from pathlib import Path
    from harness.machine.equipment import Equipment
    from harness.machine.disk_overlay import DiskOverlay
    from harness.machine.ports import Port
    from harness.machine.run_dir import RunDir
    from harness.tests.machine.specs import machine_of

    base = Path(sys.argv[1])
    run_dir = RunDir(work=base)
    overlay = DiskOverlay.create(base / "golden.img", run_dir.folder("disk", bulky=True))
    reached = Equipment(forwards=(Port(80),))
    machine = machine_of(sys.argv[2], overlay, run_dir, equipment=reached)
    machine.start_paused()
    if sys.argv[3] == "fork" and os.fork() == 0:
        # A child that lives on with copies of all descriptors must not keep the guard waiting.
        signal_ = __import__("signal")
        signal_.pause()
    print(run_dir.guard.pid, machine.pid, run_dir.path, run_dir.work, os.getpid(), flush=True)
    sys.stdin.read()
    """
)
LIMIT = 5.0


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")
@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT", "SIGKILL after a fork", "SIGKILL of owner and guard"])
def test_nothing_is_left_5_seconds_after_the_owner_died(tmp_path: Path, how: str) -> None:
    golden = tmp_path / "golden.img"
    with golden.open("wb") as file:
        file.truncate(1 << 20)
    runtime = tmp_path / "r"
    runtime.mkdir(mode=0o700)
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path), "pc-bios", "fork" if "fork" in how else "plain"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)},
        start_new_session=True,
    )
    try:
        assert owner.stdout is not None
        said = owner.stdout.readline().split()
        guard, qemu = int(said[0]), int(said[1])
        folders = [Path(said[2]), Path(said[3])]
        assert alive(guard)
        assert alive(qemu)
        assert list(folders[1].rglob("*.qcow2"))
        if how == "SIGINT":
            os.killpg(owner.pid, signal.SIGINT)
        else:
            owner.kill()
        if "guard" in how:
            os.kill(guard, signal.SIGKILL)
        owner.wait(LIMIT)
        deadline = time.monotonic() + LIMIT
        left = ["?"]
        while left and time.monotonic() < deadline:
            left = [name for name, pid in (("guard", guard), ("QEMU", qemu)) if alive(pid)]
            if "guard" not in how:  # else the folders are found at the next start, see test_run_dir
                left += [str(folder) for folder in folders if folder.exists()]
            threading.Event().wait(0.02)
        assert not left
    finally:
        if "fork" in how:
            os.killpg(owner.pid, signal.SIGKILL)
        owner.kill()
        owner.wait()
        for stream in (owner.stdin, owner.stdout):
            if stream is not None:
                stream.close()
