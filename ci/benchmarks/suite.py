"""The whole suite against a model: the same number of starts, reboots and uploads on a QEMU by hand."""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import bare
from benchmarks.bare import Cost
from benchmarks.figures import Result, measured, note, run_of
from harness.boards import Board, board
from harness.image.update_files import update_files
from harness.lab.journal import UPLOADED
from harness.lab.lab import Lab
from harness.report.document import Document

BOARDS = ("pc-bios", "pc-uefi", "virt")
WORKERS = 2
ROUND_OF = 3
"""A run of the suite takes minutes: there is a round of the model, before it or after it, for so many pairs."""
NOTHING = Cost(0.0, 0.0)


@dataclass(frozen=True)
class Model:
    """What the parts of a suite cost at least, each the median of its rounds."""

    start: Cost
    restore: Cost
    reboot: Cost
    """As the device does it when it is asked: by kexec where it can, and through its firmware where it cannot."""
    byte: Cost

    def of(self, work: Mapping[str, int]) -> Cost:
        """What these starts, by cause, and these uploads cost one after the other."""
        starts, restored, uploaded = (work.get(name, 0) for name in ("power-on", "restored", UPLOADED))
        reboots = work.get("kexec", 0) + work.get("reset", 0)
        return self.start * starts + self.restore * restored + self.reboot * reboots + self.byte * uploaded


def suite(lab: Lab, pairs: int) -> list[Result]:
    """All scenarios of the default boards, a board at a time, with two workers: wall and processor seconds."""
    results: list[Result] = []
    spent, least = NOTHING, NOTHING
    for name in BOARDS:
        took, model = _on(lab, board(name), -(-pairs // ROUND_OF))
        results += _results(name, took, model)
        spent, least = spent + took, least + model
    return [*results, *_results("all", spent, least, goal=1.25)]


def _on(lab: Lab, on: Board, rounds: int) -> tuple[Cost, Cost]:
    """What the suite took on a board, and what its model does."""
    image = lab.images.image(on, "hello")
    snapshot = lab.starts.snapshot(lab.starts.targets.of(on, image)).snapshot
    with tempfile.TemporaryDirectory(prefix="gk-bench-") as folder:
        root = update_files(image, Path(folder)).root.read_bytes()
    parts: list[tuple[Cost, Cost, Cost, Cost]] = []

    def measure(times: int) -> None:
        for _ in range(times):
            start, upload, reboot = bare.life(on, image, root)
            parts.append((start, bare.restored(on, image, snapshot), reboot, upload * (1 / len(root))))

    # Half of it before and half of it after: the host may change meanwhile.
    measure(rounds - rounds // 2)
    took, work = _run(on)
    measure(rounds // 2)
    model = Model(*(_median(one) for one in zip(*parts, strict=True)))
    note(f"suite: {on.name}: {took.wall:.0f} s, {took.processor:.0f} processor seconds, for {work}")
    note(f"suite: {on.name}: start {model.start}, restore {model.restore}, reboot {model.reboot}")
    return took, model.of(work)


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(statistics.median(one.wall for one in costs), statistics.median(one.processor for one in costs))


def _run(on: Board) -> tuple[Cost, dict[str, int]]:
    """What the scenarios cost on a board, in all processes, and what they did; raises Failed for a red one."""
    with tempfile.TemporaryDirectory(prefix="gk-bench-") as name:
        report = Path(name) / "report.json"
        ours = ["--gk-board", on.name, "--gk-strict", "--gk-artifacts", name, "--gk-report-json", str(report)]
        command = [sys.executable, "-m", "pytest", "-q", "scenarios", "-n", str(WORKERS), "--maxschedchunk", "1"]
        before = _children()
        wall, _ = run_of([*command, *ours], of=f"the scenarios on {on.name}")
        return Cost(wall, _children() - before), Document.read(report).work.get(on.name, {})


def _children() -> float:
    """Processor seconds of all processes that have ended below this one."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _results(name: str, took: Cost, model: Cost, goal: float = 0.0) -> list[Result]:
    """Figures of one board, or of all; the model's wall time is what so many workers can come down to."""
    processors = min(WORKERS, len(os.sched_getaffinity(0)))
    wall = max(model.wall / WORKERS, model.processor / processors)
    words = f"at most {goal}" if goal else ""

    def ratio(what: str, ours: float, least: float) -> Result:
        title = f"suite {name}, {what}, against its model"
        return measured(title, [ours / least], "ratio", words, lambda value: not goal or value <= goal)

    return [
        measured(f"suite {name}, wall", [took.wall], "s"),
        measured(f"suite {name}, processors", [took.processor], "s"),
        ratio("wall", took.wall, wall),
        ratio("processors", took.processor, model.processor),
    ]
