"""Soak: start after start, each with a question to the guest itself; no false alarm is the demand.

Usage: ci/soak.py [--warm N] [--cold N] [--board NAME] [--log FILE]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import TextIO

from harness.appliance.wanted import Wanted
from harness.boards import Board, board
from harness.errors import HarnessError
from harness.lab.lab import Lab
from harness.options import Settings


def one(lab: Lab, on: Board, number: int, *, cold: bool) -> tuple[float, str]:
    """Seconds of a start, and what the guest said: its uptime, by its own shell on the serial console."""
    image = lab.images.image(on, "hello")
    began = time.monotonic()
    with lab.appliance(Wanted(on, f"soak-{number}", cold=cold)) as appliance:
        took = time.monotonic() - began
        _, output = appliance.shell.run("cat /proc/uptime /proc/sys/kernel/hostname")
        said = output.split()
        if image.hostname not in said or not float(said[0]) > 0:
            raise SystemExit(f"soak: the guest said {said}")
        unclean = appliance.console.unclean()
        if unclean:
            raise SystemExit(f"soak: the console is not clean: {'; '.join(map(str, unclean))}")
        return took, f"up {said[0]} s"


def soak(lab: Lab, on: Board, count: int, log: TextIO, *, cold: bool) -> int:
    """Start so many times; returns how many went wrong."""
    kind = "cold" if cold else "warm"
    times: list[float] = []
    wrong = 0
    for number in range(1, count + 1):
        try:
            took, said = one(lab, on, number, cold=cold)
        except (HarnessError, SystemExit) as error:
            wrong += 1
            line = f"{kind} {number}: WRONG: {error}"
        else:
            times.append(took)
            line = f"{kind} {number}: {took:.2f} s, {said}"
        print(time.strftime("%H:%M:%S"), line, file=log, flush=True)
    middle = f"median {statistics.median(times):.2f} s, at most {max(times):.2f} s" if times else "none"
    for out in (log, sys.stdout):
        print(f"soak: {on.name}: {count - wrong} of {count} {kind} starts: {middle}", file=out, flush=True)
    return wrong


def main() -> int:
    """Run it; the exit status says whether anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warm", type=int, default=500)
    parser.add_argument("--cold", type=int, default=50)
    parser.add_argument("--board", default="virt")
    parser.add_argument("--log", type=Path, default=Path(".gokharness/nightly/soak.txt"))
    options = parser.parse_args()
    on = board(options.board)
    options.log.parent.mkdir(parents=True, exist_ok=True)
    settings = Settings(boards=(on.name,), artifacts=options.log.parent / "soak")
    with options.log.open("w") as log, Lab(settings, say=print) as lab:
        wrong = soak(lab, on, options.warm, log, cold=False) + soak(lab, on, options.cold, log, cold=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
