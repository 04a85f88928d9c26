"""How fast appliances start: cold, warm, rewound; through the harness, and bare."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

from benchmarks import bare
from benchmarks.figures import Result, interleaved, measured, note, spread
from harness.appliance.wanted import Wanted
from harness.boards import Board, board
from harness.lab.lab import Lab

VIRT = board("virt")
TIMES = {"pc-bios": 25.0, "pc-bios fast-boot": 10.0, "virt": 8.0, "virt-uefi": 15.0}
"""How many times faster a warm start is to be than a cold one."""


def start(lab: Lab, on: Board, *, cold: bool) -> float:
    """Seconds from asking for an appliance to the first answer of its web interface."""
    lab.images.image(on, "hello")
    began = time.monotonic()
    with lab.appliance(Wanted(on, "bench", cold=cold)):
        return time.monotonic() - began


def cold(lab: Lab, pairs: int) -> list[Result]:
    """HTTP 200 from a cold start: through the harness against the same QEMU bare."""
    image = lab.images.image(VIRT, "hello")
    both = list(interleaved(pairs, lambda: start(lab, VIRT, cold=True), lambda: bare.cold(VIRT, image).wall))
    ours, other = [a for a, _ in both], [b for _, b in both]
    more = statistics.median(a - b for a, b in both)
    note(f"cold: harness {spread(ours)}, bare {spread(other)}: {more:+.2f} s")
    goal = "at most 1.10, or 0.3 s more"
    return [measured("cold", _ratios(both), "ratio", goal, lambda ratio: ratio <= 1.10 or more <= 0.3)]


def warm(lab: Lab, pairs: int) -> list[Result]:
    """HTTP 200 from a warm start in a fresh process: through the harness against the best bare restore."""
    image = lab.images.image(VIRT, "hello")
    snapshot = lab.starts.snapshot(lab.starts.targets.of(VIRT, image)).snapshot
    both = list(
        interleaved(pairs, lambda: start(lab, VIRT, cold=False), lambda: bare.restored(VIRT, image, snapshot).wall)
    )
    ours, other = [a for a, _ in both], [b for _, b in both]
    note(f"warm: harness {spread(ours)}, bare {spread(other)}")
    return [
        measured("warm", _ratios(both), "ratio", "at most 1.40", lambda ratio: ratio <= 1.4),
        measured("warm seconds", ours, "s", "at most 0.50", lambda seconds: seconds <= 0.5),
    ]


def warm_cold(lab: Lab, pairs: int) -> list[Result]:
    """How many times faster a warm start is than a cold one, both through the harness, on each board."""
    results = []
    for name, goal in TIMES.items():
        on = board(name.split()[0])
        if name.endswith("fast-boot"):
            with Lab(replace(lab.settings, fast_boot=True), say=lab.journal.say) as fast:
                results.append(_warm_cold(fast, on, pairs, name, goal))
        else:
            results.append(_warm_cold(lab, on, pairs, name, goal))
    return results


def _warm_cold(lab: Lab, on: Board, pairs: int, name: str, goal: float) -> Result:
    start(lab, on, cold=False)  # the first one makes the snapshot
    both = list(interleaved(pairs, lambda: start(lab, on, cold=True), lambda: start(lab, on, cold=False)))
    note(f"{name}: cold {spread([a for a, _ in both])}, warm {spread([b for _, b in both])}")
    least = f"at least {goal:.0f}"
    return measured(f"warm-cold {name}", _ratios(both), "times faster", least, lambda ratio: ratio >= goal)


def rewind(lab: Lab, pairs: int) -> list[Result]:
    """A return to a checkpoint against a warm start."""
    start(lab, VIRT, cold=False)
    with lab.appliance(Wanted(VIRT, "rewind")) as appliance:
        appliance.checkpoint("here")

        def again() -> float:
            began = time.monotonic()
            appliance.rewind("here")
            return time.monotonic() - began

        both = list(interleaved(pairs, again, lambda: start(lab, VIRT, cold=False)))
    note(f"rewind: {spread([a for a, _ in both])}, warm start {spread([b for _, b in both])}")
    return [measured("rewind", _ratios(both), "ratio", "at most 1.00", lambda ratio: ratio <= 1.0)]


def _ratios(both: list[tuple[float, float]]) -> list[float]:
    return [a / b for a, b in both]
