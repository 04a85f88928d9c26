"""Real runs of a real appliance, killed at random moments: five seconds later nothing is left, the cache is whole.

GK_KILLS is the number of kills (default 5), GK_KILLS_SEED repeats a series, GK_KILLS_LOG names a file for the log.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.boards import board
from harness.build.cache import Cache
from harness.lab.images import Images
from harness.lab.journal import Journal
from harness.options import Settings
from harness.tests.lab.played import PlayedFolders
from harness.tests.traces import Traces, wait_until

pytestmark = pytest.mark.gk_tier("nightly")

CONFTEST = """
import functools, importlib, os
from pathlib import Path

MOMENTS = {
    "build": ("harness.build.cache", "Cache", "_make"),
    "boot": ("harness.machine.power", "Power", "on"),
    "capture": ("harness.machine.power", "Power", "snapshot"),
    "restore": ("harness.machine.power", "Power", "restore"),
    "teardown": ("harness.appliance.appliance", "Appliance", "close"),
}

def told(name, method):
    @functools.wraps(method)
    def telling(*arguments, **named):
        # The process that does it, a worker's under xdist; renamed, so that it is never read half-written.
        Path(f"{name}.new").write_text(str(os.getpid()))
        Path(f"{name}.new").rename(f"moment-{name}")
        return method(*arguments, **named)
    return telling

for name, (module, owner, method) in MOMENTS.items():
    owner = getattr(importlib.import_module(module), owner)
    setattr(owner, method, told(name, getattr(owner, method)))
"""
TESTS = """
import threading

def test_one(appliance):
    appliance.status()

def test_two(appliance):
    threading.Event().wait(600)
"""
SPANS = {"build": 12.0, "boot": 6.0, "capture": 0.5, "restore": 1.5, "teardown": 0.5}
"""About how long each moment lasts, in seconds: the kill comes somewhere within."""
VICTIMS = ("pytest", "worker", "Ctrl-C")
START = 300.0
AFTER = 5.0


@dataclass(frozen=True)
class Kill:
    """What is killed, and when: so many seconds after this moment began."""

    victim: str
    moment: str
    delay: float

    @classmethod
    def drawn(cls, moment: str, chance: random.Random) -> Kill:
        """Who is killed, and when within the moment, as chance has it."""
        return cls(chance.choice(VICTIMS), moment, chance.uniform(0, SPANS[moment]))

    def __str__(self) -> str:
        return f"{self.victim} {self.delay:.2f} s into {self.moment}"


class Log:
    """Lines for a reader, on the terminal and in a file."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text("")

    def __call__(self, line: str) -> None:
        print(line)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(f"{line}\n")


def test_nothing_is_left_of_runs_that_are_killed_at_random_moments(tmp_path: Path) -> None:
    count = int(os.environ.get("GK_KILLS", "5"))
    seed = os.environ.get("GK_KILLS_SEED") or secrets.token_hex(4)
    log = Log(os.environ.get("GK_KILLS_LOG"))
    log(f"{count} kills, GK_KILLS_SEED={seed}")
    cache = seeded_cache(tmp_path)
    chance = random.Random(seed)
    moments = chance.sample(list(SPANS), len(SPANS))
    failed = 0
    for number in range(count):
        kill = Kill.drawn(moments[number % len(moments)], chance)
        folder = tmp_path / f"run-{number}"
        folder.mkdir()
        trouble, took = carry_out(kill, folder, cache)
        failed += bool(trouble)
        log(f"{number + 1:3}  {kill!s:34}  {trouble or f'clean after {took:.1f} s'}")
        if not trouble:
            shutil.rmtree(folder)
    log(f"{count - failed} of {count} kills left nothing")
    assert not failed, f"GK_KILLS_SEED={seed}"


def carry_out(kill: Kill, folder: Path, cache: Path) -> tuple[str, float]:
    """Start a run, kill it, and look: what is wrong ("" for nothing), and the seconds until nothing was left."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_mine.py").write_text(TESTS)
    # A build timestamp of its own makes the image another one, which has to be built: an earlier one may be done.
    stamp = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    fresh = [f"--gk-timestamp={stamp}"] if kill.moment == "build" else []
    with Traces(cache.with_name("bytecode")) as traces, (folder / "output").open("wb") as output:
        run = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "pytest",
                    "-p",
                    "no:cacheprovider",
                    "--gk-board=virt",
                    f"--gk-cache={cache}",
                ),
                *(*fresh, *(["-n", "1"] if kill.victim == "worker" else []), "test_mine.py"),
            ],
            cwd=folder,
            env=traces.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            moment = folder / f"moment-{kill.moment}"
            if not wait_until(START, lambda: moment.exists() or run.poll() is not None) or not moment.exists():
                return f"the run did not come as far as that: {(folder / 'output').read_text()}", 0.0
            # Until the kill, unless the run is over before.
            wait_until(kill.delay, lambda: run.poll() is not None)
            took = strike(kill, run, int(moment.read_text()), traces)
        finally:
            if run.poll() is None:
                run.kill()
            run.wait()
        if took is None:
            return f"after {AFTER:.0f} s there was still: {'; '.join(traces.left())}", AFTER
    return broken(cache), took


def strike(kill: Kill, run: subprocess.Popen[bytes], doer: int, traces: Traces) -> float | None:
    """Kill, and return the seconds until nothing was left; None when something stayed for more than five."""
    began = time.monotonic()
    if kill.victim == "worker" and doer != run.pid:
        theirs = {doer, *descendants(doer)}
        send(signal.SIGKILL, lambda number: os.kill(doer, number))
        if not wait_until(AFTER, lambda: not theirs & set(traces.processes())):
            return None
        took = time.monotonic() - began
        # The run goes on with another worker, and has its own end.
        began = time.monotonic()
        send(signal.SIGKILL, lambda number: os.kill(run.pid, number))
        return max(took, time.monotonic() - began) if wait_until(AFTER, lambda: gone(run, traces)) else None
    if kill.victim == "Ctrl-C":
        send(signal.SIGINT, lambda number: os.killpg(run.pid, number))
        # Asked to end, it still tears down and writes its report, which takes a busy host a while.
        wait_until(START, lambda: run.poll() is not None)
    else:
        send(signal.SIGKILL, lambda number: os.kill(run.pid, number))
    return time.monotonic() - began if wait_until(AFTER, lambda: gone(run, traces)) else None


def send(number: signal.Signals, how: Callable[[int], None]) -> None:
    try:
        how(number)
    except ProcessLookupError:
        # It was over before.
        return


def gone(run: subprocess.Popen[bytes], traces: Traces) -> bool:
    # A process that nobody has waited for is not gone; its token is.
    return run.poll() is not None and not traces.left()


def descendants(pid: int) -> set[int]:
    """All processes that came of this one, as far as each of their parents still lives."""
    children: dict[int, set[int]] = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit():
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, set()).add(int(folder.name))
        except OSError:
            continue
    found: set[int] = set()
    following = {pid}
    while following:
        following = {child for one in following for child in children.get(one, ())} - found
        found |= following
    return found


def seeded_cache(folder: Path) -> Path:
    """A cache of this test's own that has the image of the board virt."""
    settings = Settings()
    images = Images(settings, PlayedFolders(folder), Journal())
    image = images.image(board("virt"), "hello")
    cache = folder / "cache"
    shutil.copytree(image.path.parent, cache / "images" / image.path.parent.name, copy_function=link_or_copy)
    images.close()
    assert broken(cache) == ""
    assert len(Cache(cache).entries()) == 1
    return cache


def link_or_copy(source: str, target: str) -> None:
    # The record of an image is written to when it is used, the image never.
    if not source.endswith(".img"):
        shutil.copy2(source, target)
        return
    try:
        os.link(source, target)
    except OSError:
        subprocess.run(["cp", "--sparse=always", "--preserve=all", source, target], check=True)


def broken(cache: Path) -> str:
    """What is wrong with the cache, "" when each image in it is whole and the next run may use and build in it."""
    entries = {entry.key for entry in Cache(cache).entries()}
    half = [path.name for path in (cache / "images").iterdir() if path.name not in entries]
    if half:
        return f"half an image in the cache: {', '.join(half)}"
    with Cache(cache) as used:
        damaged = [entry.key for entry in used.entries() if not entry.verify()]
        if damaged:
            return f"a damaged image in the cache: {', '.join(damaged)}"
        # The next user of the cache sweeps out what a killed build left.
        with used.scratch():
            left = [path.name for path in (cache / "work").iterdir() if not path.name.startswith("scratch-")]
    return f"what killed builds left was not removed: {', '.join(left)}" if left else ""
