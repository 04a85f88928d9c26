"""How soon a wait fails after a kernel has died."""

from __future__ import annotations

import socket
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Failed, Result, measured, note, spread
from harness.appliance.wanted import Wanted
from harness.boards import board
from harness.console.console import Console
from harness.errors import KernelPanic
from harness.faults import kernel
from harness.lab.lab import Lab

VIRT = board("virt")
SPEECHLESS = (
    b"[    0.000000] Linux version 7.1.3 (gokrazy@docker) #1\r\n"
    b"[   12.345678] Kernel panic - not syncing: sysrq triggered crash\r\n"
    b"[   12.345999] Call trace:\r\n"
)
"""What a kernel says that stops in the middle of its last words."""
LIMIT = 30.0


def panic(lab: Lab, pairs: int) -> list[Result]:
    """From the line that says that the kernel panics to the wait that fails with it."""
    image = lab.images.image(VIRT, "crasher")
    whole = [_on_a_guest(lab, Wanted(VIRT, "bench", image=image)) for _ in range(pairs)]
    broken = [_without_last_words() for _ in range(pairs)]
    note(f"panic: {spread(whole)}; without last words {spread(broken)}")
    return [
        measured("panic, to the failed wait", whole, "s", "under 0.1", lambda seconds: seconds < 0.1),
        measured("panic without last words", broken, "s", "under 1", lambda seconds: seconds < 1),
    ]


def _on_a_guest(lab: Lab, wanted: Wanted) -> float:
    with lab.appliance(wanted) as appliance:
        try:
            appliance.start(kernel.PANICS)
            appliance.console.wait(LIMIT)
        except KernelPanic:
            failed = time.monotonic()
            return failed - _said_at(appliance.console)
    raise Failed(f"the kernel did not panic within {LIMIT:.0f} s")


def _without_last_words() -> float:
    with tempfile.TemporaryDirectory(prefix="gk-bench-") as folder:
        console = Console(Path(folder))
        ours, theirs = socket.socketpair()
        console.attach(theirs)
        try:
            ours.sendall(SPEECHLESS)
            console.wait(LIMIT)
        except KernelPanic:
            failed = time.monotonic()
            return failed - _said_at(console)
        finally:
            ours.close()
            console.close()
    raise Failed(f"the panic ended no wait of {LIMIT:.0f} s")


def _said_at(console: Console) -> float:
    crash = console.crash
    assert crash is not None, "the wait has ended with it"
    return console.clock_of(crash.line)
