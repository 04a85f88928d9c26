"""A test that fails now and then on ``virt`` is recorded; with other caches its failed run runs again, exactly."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.bundle.replay import FAILED
from harness.tests.bundle.test_back import environment, failed
from harness.tests.outside import ROOT

pytestmark = [
    pytest.mark.gk_tier("ci"),
    pytest.mark.skipif(shutil.which("qemu-system-aarch64") is None, reason="QEMU is not installed"),
]

TEST = """
def test_it_goes_wrong_now_and_then(appliance_off, gk_repeat):
    appliance_off.power_on()
    if gk_repeat == 1:
        return
    appliance_off.wait_until_UNTIL()
    assert appliance_off.image.hostname == "nothing of the kind"
"""
LIMIT = 1800.0
"""Seconds; on two idle cores a recorded machine answers after 34, and a replay takes as long."""


@pytest.mark.parametrize("until", ["it_runs", pytest.param("ready", marks=pytest.mark.gk_tier("nightly"))])
def test_the_run_that_failed_runs_again_to_the_same_last_line(tmp_path: Path, until: str) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    bundle, _ = failed(here, TEST.replace("UNTIL", until), "--gk-record", "--gk-repeat=2", limit=LIMIT)
    assert [path.parent for path in here.rglob("bundle.tar.zst")] == [bundle.parent]
    assert "run2" in bundle.parent.name
    console = (bundle.parent / "console.log").read_bytes()
    last = console.decode(errors="replace").splitlines()[-1]
    bundle = bundle.rename(elsewhere / "fetched.tar.zst")
    shutil.rmtree(here)
    done = subprocess.run(
        [sys.executable, "-m", "harness", "replay", str(bundle)],
        cwd=elsewhere,
        env={**environment(elsewhere / "caches"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=LIMIT,
    )
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said + done.stderr.decode(errors="replace")
    assert said.rstrip().endswith(f"gokrazy: its console says the same {len(console)} bytes as then")
    again = said[said.index("with nobody at the other end") :]
    assert again.count(last) >= 1
    assert again.count(FAILED) == 1
