"""Benchmarks: each is a ratio whose two sides are measured in turn in one run, on the board ``virt``."""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import requests

from harness.boards import board
from harness.firmware.direct import DirectStage
from harness.image.model import Image
from harness.lab import Lab
from harness.machine.overlay import Overlay
from harness.options import Settings

BOARD = board("virt")
LIMIT = 300.0


@dataclass(frozen=True)
class Result:
    """One figure; ``goal`` says in words what it is held to."""

    name: str
    value: float
    unit: str
    goal: str
    met: bool


def bare_qemu(image: Image) -> float:
    """Seconds from starting QEMU by hand to HTTP 200; disk and kernel are prepared before the clock runs."""
    with tempfile.TemporaryDirectory(prefix="gk-bench-") as name:
        folder = Path(name)
        overlay = Overlay.create(image.path, folder)
        loaded = DirectStage(image.layout.boot, folder).prepare(overlay)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [
            BOARD.qemu, "-nodefaults", "-no-user-config", "-machine", BOARD.machine, "-accel", "tcg,thread=multi",
            "-cpu", BOARD.cpu, "-m", str(BOARD.memory), "-smp", str(BOARD.cpus), "-display", "none", "-no-reboot",
            "-serial", f"file:{folder / 'console'}", "-kernel", str(loaded.kernel), "-append", str(loaded.append),
            "-drive", f"file={overlay.path},format=qcow2,if=none,id=d0", "-device", f"{BOARD.disk},drive=d0",
            "-netdev", f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:{image.http_port}",
            "-device", f"{BOARD.nic},netdev=n0,romfile=", "-device", "virtio-rng-pci",
        ]  # fmt: skip
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            while time.monotonic() - began < LIMIT:
                with contextlib.suppress(requests.RequestException):
                    page = requests.get(
                        f"http://127.0.0.1:{port}/", auth=("gokrazy", image.password or ""), timeout=1
                    )
                    if page.status_code == 200:
                        return time.monotonic() - began
                if process.poll() is not None:
                    raise SystemExit(f"bench: the bare QEMU ended with {process.returncode}")
                time.sleep(0.05)
            raise SystemExit(f"bench: the bare QEMU did not answer within {LIMIT:.0f} s")
        finally:
            process.kill()
            process.wait()


def harness_start(lab: Lab, image: Image, *, cold: bool) -> float:
    """Seconds from asking for an appliance to the first answer of its web interface."""
    began = time.monotonic()
    with lab.appliance(BOARD, image, name="bench", cold=cold):
        return time.monotonic() - began


def interleaved(
    pairs: int, first: Callable[[], float], second: Callable[[], float]
) -> Iterator[tuple[float, float]]:
    """Measure both sides in turn; which goes first alternates."""
    for number in range(pairs):
        if number % 2:
            b, a = second(), first()
        else:
            a, b = first(), second()
        print(f"  pair {number + 1}: {a:.2f} s, {b:.2f} s", file=sys.stderr)
        yield a, b


def spread(values: list[float]) -> str:
    """Median, and the lowest and highest."""
    return f"{statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f})"


def cold(lab: Lab, image: Image, pairs: int) -> Result:
    """HTTP 200 from a cold start: through the harness against the same QEMU bare."""
    both = list(interleaved(pairs, lambda: harness_start(lab, image, cold=True), lambda: bare_qemu(image)))
    ours, bare = [a for a, _ in both], [b for _, b in both]
    ratio = statistics.median(a / b for a, b in both)
    more = statistics.median(a - b for a, b in both)
    print(f"cold: harness {spread(ours)}, bare {spread(bare)}: ratio {ratio:.3f}, {more:+.2f} s", file=sys.stderr)
    return Result("cold", round(ratio, 3), "ratio", "at most 1.10, or 0.3 s more", ratio <= 1.10 or more <= 0.3)


def warm(lab: Lab, image: Image, pairs: int) -> Result:
    """How many times faster a warm start is than a cold one, both through the harness."""
    harness_start(lab, image, cold=False)  # the first one makes the capture
    both = list(
        interleaved(
            pairs,
            lambda: harness_start(lab, image, cold=True),
            lambda: harness_start(lab, image, cold=False),
        )
    )
    ratio = statistics.median(a / b for a, b in both)
    print(f"warm: cold {spread([a for a, _ in both])}, warm {spread([b for _, b in both])}", file=sys.stderr)
    return Result("warm", round(ratio, 2), "times faster", "at least 8", ratio >= 8)


BENCHMARKS = {"cold": cold, "warm": warm}


def main() -> int:
    """Run the benchmarks that were named, or all; a goal that is not met is printed, and no failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pairs", type=int, default=9)
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    with tempfile.TemporaryDirectory(prefix="gk-bench-") as artifacts:
        settings = Settings(boards=(BOARD.name,), artifacts=Path(artifacts))
        with Lab(settings, say=lambda line: print(line, file=sys.stderr)) as lab:
            image = lab.stock.image(BOARD, "hello")
            results = [BENCHMARKS[name](lab, image, options.pairs) for name in options.names or BENCHMARKS]
    if options.json:
        print(json.dumps({"results": [asdict(one) for one in results]}, indent=2))
    else:
        for one in results:
            print(f"{one.name:8} {one.value:8} {one.unit:14} goal: {one.goal}: {'met' if one.met else 'NOT MET'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
