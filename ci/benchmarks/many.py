"""Many appliances: one after the other in a test run, and at the same time; how long, and how much memory."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Result, measured, note
from harness.boards import board
from harness.lab import Lab

VIRT = board("virt")
HUNDRED = 100
AT_ONCE = (1, 2, 4, 8, 16)
TESTS = f"""
import pytest

@pytest.mark.parametrize("number", range({HUNDRED}))
def test_mine(appliance, number):
    assert appliance.device.features()
"""


def hundred(lab: Lab, pairs: int) -> list[Result]:  # noqa: ARG001  every benchmark is asked alike
    """A hundred tests with an appliance each: seconds with one worker and with two."""
    one, two = _run(lab), _run(lab, "-n", "2")
    note(f"hundred: {one:.1f} s with one worker, {two:.1f} s with two")
    return [
        Result("hundred, one worker", round(one, 1), "s", "below 150", one < 150),
        measured("hundred, two workers", two, "s"),
        measured("hundred, two against one", two / one, "ratio"),
    ]


def _run(lab: Lab, *options: str) -> float:
    with tempfile.TemporaryDirectory(prefix="gk-bench-") as name:
        tests = Path(name) / "test_hundred.py"
        tests.write_text(TESTS)
        lab.stock.image(VIRT, "hello")
        began = time.monotonic()
        command = [
            *(
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-c",
                "/dev/null",
                "--rootdir",
                name,
                "-p",
                "no:cacheprovider",
            ),
            *("--gk-board", VIRT.name, "--gk-strict", "--gk-artifacts", f"{name}/artifacts", *options, str(tests)),
        ]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        took = time.monotonic() - began
    if done.returncode != 0 or f"{HUNDRED} passed" not in done.stdout:
        raise SystemExit(f"bench: the hundred tests did not pass:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return took


def scale(lab: Lab, pairs: int) -> list[Result]:  # noqa: ARG001
    """From 1 to 16 warm appliances at once in one process: seconds until all answer, and what memory they take."""
    image = lab.stock.image(VIRT, "hello")
    lab.booted(VIRT, image)
    results = []
    for number in AT_ONCE:
        before = _memory(os.getpid(), "Pss")
        with contextlib.ExitStack() as stack:
            began = time.monotonic()
            running = [
                stack.enter_context(lab.appliance(VIRT, image, name=f"scale-{each}")) for each in range(number)
            ]
            took = time.monotonic() - began
            pids = [one.power.machine.pid for one in running]
            # Proportional: what the copies share in the page cache counts once, divided among them.
            guests = sum(_memory(pid, "Pss") for pid in pids)
            peak = max(_peak(pid) for pid in pids)
            ours = _memory(os.getpid(), "Pss") - before
        note(f"scale: {number}: {took:.2f} s, QEMU {guests:.0f} MiB, harness {ours:+.0f} MiB")
        results += [
            measured(f"scale {number}, wall", took, "s"),
            measured(f"scale {number}, QEMU of each", guests / number, "MiB"),
            measured(f"scale {number}, peak of one QEMU with what it shares", peak, "MiB"),
            measured(f"scale {number}, harness for each", ours / number, "MiB"),
        ]
    return [*results, measured("scale, harness in all", _memory(os.getpid(), "Pss"), "MiB")]


def _memory(pid: int, name: str) -> float:
    """MiB of a process by a name of smaps_rollup."""
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), name) / 1024


def _peak(pid: int) -> float:
    """MiB that a process had resident at most."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmHWM") / 1024


def _kilobytes(path: Path, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])
