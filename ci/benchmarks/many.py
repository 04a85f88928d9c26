"""Many appliances: one after the other in a test run, and at the same time; how long, and how much memory."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Failed, Result, interleaved, measured, note, run_of, spread
from harness.appliance.wanted import Wanted
from harness.boards import board
from harness.lab.lab import Lab

VIRT = board("virt")
HUNDRED = 100
AT_ONCE = (1, 2, 4, 8, 16)
ROUND_OF = 3
"""A pair of the hundred and a round of the scale take minutes: there is one for so many pairs of the others."""
TESTS = """
import pytest

@pytest.mark.parametrize("number", range({number}))
def test_mine(appliance, number):
    assert appliance.device.features()
"""


def hundred(lab: Lab, pairs: int, *, tests: int = HUNDRED) -> list[Result]:
    """A hundred tests with an appliance each, from pytest's start to its end: with one worker and with two."""
    lab.images.image(VIRT, "hello")
    both = list(
        interleaved(
            -(-pairs // ROUND_OF), lambda: _run(tests), lambda: _run(tests, "-n", "2", "--maxschedchunk", "1")
        )
    )
    one, two = [a for a, _ in both], [b for _, b in both]
    title = "hundred" if tests == HUNDRED else f"{tests} tests"
    note(f"{title}: one worker {spread(one)}, two workers {spread(two)}")
    goal = "below 150" if tests == HUNDRED else ""
    return [
        measured(f"{title}, one worker", one, "s", goal, lambda seconds: not goal or seconds < 150),
        measured(f"{title}, two workers", two, "s"),
        measured(f"{title}, two against one", [b / a for a, b in both], "ratio"),
    ]


def _run(number: int, *options: str) -> float:
    """Seconds that a pytest with so many tests takes; raises Failed unless each had a restored appliance."""
    with tempfile.TemporaryDirectory(prefix="gk-bench-") as name:
        tests = Path(name) / "test_hundred.py"
        tests.write_text(TESTS.format(number=number))
        pytest = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", name]
        ours = ["--gk-board", VIRT.name, "--gk-strict", "--gk-artifacts", f"{name}/artifacts"]
        command = [*pytest, "-p", "no:cacheprovider", *ours, *options, str(tests)]
        took, said = run_of(command, of=f"the {number} tests", passed=number)
    starts = {kind: int(count) for kind, count in re.findall(rf"^{VIRT.name}\s+(\w+)\s+(\d+)\s", said, re.M)}
    if starts != {"cold": 1, "warm": number}:
        raise Failed(f"it was to be one cold start and {number} warm ones, and was {starts}:\n{said[-3000:]}")
    return took


def scale(lab: Lab, pairs: int) -> list[Result]:
    """From 1 to 16 warm appliances at once in one process: seconds until all answer, and what memory they take."""
    image = lab.images.image(VIRT, "hello")
    lab.starts.snapshot(lab.starts.targets.of(VIRT, image))
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(-(-pairs // ROUND_OF)):
        for number in AT_ONCE:
            for what, value in _at_once(lab, number).items():
                found.setdefault(what, []).append(value)
    results = [measured(name, values, unit) for (name, unit), values in found.items()]
    return [*results, measured("scale, harness in all, at most", [_peak(os.getpid())], "MiB")]


def _at_once(lab: Lab, number: int) -> dict[tuple[str, str], float]:
    """What so many appliances take; name and unit -> figure."""
    before = _memory(os.getpid(), "Pss")
    with contextlib.ExitStack() as stack:
        began = time.monotonic()
        running = [stack.enter_context(lab.appliance(Wanted(VIRT, f"scale-{each}"))) for each in range(number)]
        took = time.monotonic() - began
        pids = [one.power.machine.pid for one in running]
        # Proportional: what the copies share in the page cache counts once, divided among them.
        guests = sum(_memory(pid, "Pss") for pid in pids)
        peak = max(_peak(pid) for pid in pids)
        ours = _memory(os.getpid(), "Pss") - before
    note(f"scale: {number}: {took:.2f} s, QEMU {guests:.0f} MiB, harness {ours:+.0f} MiB")
    return {
        (f"scale {number}, wall", "s"): took,
        (f"scale {number}, QEMU of each", "MiB"): guests / number,
        (f"scale {number}, peak of one QEMU with what it shares", "MiB"): peak,
        (f"scale {number}, harness for each", "MiB"): ours / number,
    }


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
