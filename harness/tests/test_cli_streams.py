"""A command whose output nobody takes, or whose standard streams are closed, ends as other programs do."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.store.store import Store

_GOKHARNESS = (sys.executable, "-m", "harness")


def _cache_of(folder: Path, many: int) -> list[str]:
    """The command line that lists a cache with so many snapshots."""

    def fill(folder: Path) -> dict[str, str]:
        return {"title": "virt hello 2026"}

    with contextlib.closing(Store(folder / "captures")) as store:
        for number in range(many):
            store.get(f"k{number}", fill)
    return [*_GOKHARNESS, "cache", "--cache", str(folder)]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("many", [1, 200])
def test_nobody_reads_it_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int, unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    command = _cache_of(tmp_path, many)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("many", [1, 200])
def test_the_disk_for_it_is_full(tmp_path: Path, many: int, unbuffered: str) -> None:
    command = _cache_of(tmp_path, many)
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=env)
    assert done.returncode == 11
    assert done.stderr.splitlines() == [
        "gokharness: no room on the disk",
        "  where: stdout, the cache, the artifacts or /tmp",
        "  to do: make room there, or name other places",
    ]


def test_the_tests_are_listed_for_somebody_who_leaves(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*_GOKHARNESS, "check", "images/hello-arm64", "--list", "--artifacts", str(tmp_path)],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_may_be_closed(tmp_path: Path, closed: str) -> None:
    command = _cache_of(tmp_path, 1)
    done = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "bash", *command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("snapshots in " + str(tmp_path) + "\n") != (">&-" in closed.split())
