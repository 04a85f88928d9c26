"""Floods of the console: how fast each kind is read, what memory it takes, and whether a panic behind it is seen.

Usage: ci/floods.py [--megabytes N] [--log FILE] [KIND ...]
Fails below 3 MB per second of processor time, above 100 MB of memory, and for a panic that would end no wait.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.console.crashes import Table
from harness.console.intake import Intake
from harness.console.loops import LoopRule
from harness.console.phases import Cause
from harness.errors import KernelPanic

LEAST_SPEED = 3.0
"""MB per second of processor time, in the best part of the second half."""
MOST_MEMORY = 100.0
"""MB that a flood may add."""
PATIENCE = 3600.0
"""Seconds after which a flood counts as stuck."""

_CHUNK = 1 << 16
_PARTS = 20
_K = b"[   12.345678] "
_START = b"[    0.000000] Linux version 7.1.3 (gokrazy@docker) #1\r\n"
_PANIC = (
    _K + b"Kernel panic - not syncing: sysrq triggered crash\r\n"
    + _K + b"Call trace:\r\n"
    + _K + b" show_stack+0x18/0x24 (C)\r\n"
    + _K + b"Rebooting in 10 seconds..\r\n"
)  # fmt: skip
_LAST = b"\r\n" + _START + _K + b"Kernel panic - not syncing: the last one\r\n"


def _again(piece: bytes) -> Iterator[bytes]:
    return itertools.repeat(piece * max(1, _CHUNK // len(piece)))


def _random_bytes() -> Iterator[bytes]:
    source = random.Random(12)  # noqa: S311  the same bytes each night
    while True:
        yield source.randbytes(_CHUNK)


KINDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "random bytes": _random_bytes,
    "newlines": lambda: _again(b"\n"),
    "ends of lines": lambda: _again(b"\r\n"),
    "escapes": lambda: _again(b"\x1b[1;31m*\x1b[0m\x1b[K\x1b[12;40H"),
    "open escapes": lambda: _again(b"\x1b["),
    "endless line": lambda: _again(b"x"),
    "wide endless line": lambda: _again("\N{OLD PERSIAN SIGN A}".encode()),
    "stalls in a line": lambda: _again(b"rcu: "),
    "times in a line": lambda: _again(_K),
    "brackets in a line": lambda: _again(b"[ "),
    "words in long lines": lambda: _again(_K + b"BUG: x WARNING: task a:b I/O error, error on dev" * 140),
    "long words": lambda: _again(_K + b"BUG: page allocation failure for more than " + b"x" * 8000 + b"\r\n"),
    "panics": lambda: _again(_PANIC),
    "warnings": lambda: _again(_K + b"WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2\r\n"),
    "boots that panic": lambda: _again(_START + _PANIC),
    "boots": lambda: _again(_START),
    "a kernel": lambda: _again(_K + b"usb 1-1: new high-speed USB device number 2 using xhci\r\n"),
    "init": lambda: _again(b"2026/11/22 00:06:45 hello.go:12: a request was answered\r\n"),
}


def flood(kind: str, size: int) -> tuple[float, float, bool]:
    """Return MB per second of processor time, MB of memory, and whether a panic behind it is seen."""
    with tempfile.TemporaryDirectory() as folder:
        intake = Intake(
            Path(folder),
            clock=time.monotonic,
            name=kind,
            loop=LoopRule(),
            table=Table(),
            in_many_threads=lambda: False,
        )
        _switch_on(intake)
        memory, chunks = _memory(), KINDS[kind]()
        speeds = []
        for _ in range(_PARTS):
            read, began = 0, time.process_time()
            while read < size / _PARTS:
                chunk = next(chunks)
                intake.data(chunk)
                intake.tick()
                read += len(chunk)
            speeds.append(read / 1e6 / (time.process_time() - began))
        # What slows down as it goes on shows in the second half; its best part was disturbed least by others.
        speed = max(speeds[_PARTS // 2 :])
        grown = _memory() - memory
        if intake.crash is not None:
            _switch_on(intake)
        intake.data(_LAST)
        try:
            intake.check()
        except KernelPanic as error:
            return speed, grown, "the last one" in error.what
        return speed, grown, False


def _switch_on(intake: Intake) -> None:
    with intake.changed:
        intake.machine_started(Cause.POWER_ON, None)


def _memory() -> float:
    """The most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Run the floods, each in a process of its own; the exit status says whether one was too much."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"one of: {', '.join(KINDS)} (default: all)")
    parser.add_argument("--megabytes", type=float, default=100.0, help="of each kind")
    parser.add_argument("--log", type=Path, help="file to write the lines to as well")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.kinds) - set(KINDS))
    if unknown:
        parser.error(f"there is no kind {', '.join(unknown)}")
    lines, wrong = [], 0
    # A new process each: the most memory that one ever had never goes down.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for kind in arguments.kinds or KINDS:
            speed, grown, seen = pool.apply_async(flood, (kind, int(arguments.megabytes * 1e6))).get(PATIENCE)
            good = speed >= LEAST_SPEED and grown <= MOST_MEMORY and seen
            wrong += not good
            verdict = "" if good else "  TOO MUCH" if seen else "  THE PANIC BEHIND IT WAS NOT SEEN"
            lines.append(f"flood: {kind:20} {speed:8.2f} MB/s {grown:7.1f} MB{verdict}")
            print(lines[-1], flush=True)
    if arguments.log is not None:
        arguments.log.parent.mkdir(parents=True, exist_ok=True)
        arguments.log.write_text("\n".join(lines) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
