"""A run with a real device, as the plugin leads it; the device is played."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.tests.gokrazy.fake_device import PASSWORD, FakeDevice

Run = Callable[..., tuple[int, str]]
MINE = """
import pytest


@pytest.fixture
def rebooted(appliance):
    appliance.reboot()


def test_in_the_test(appliance):
    appliance.reboot()


def test_before_the_test(appliance, rebooted):
    pass


def test_on_a_board(appliance):
    assert appliance.board.name == "device"


@pytest.mark.gk_board("virt")
def test_only_there(appliance):
    pass


@pytest.mark.gk_board("device")
def test_only_here(appliance):
    assert not appliance.is_emulated
"""


@pytest.fixture
def fake() -> Iterator[FakeDevice]:
    fake = FakeDevice()
    yield fake
    fake.close()


@pytest.fixture
def run(fake: FakeDevice, tmp_path: Path) -> Run:
    """Run pytest; returns its exit status and what it said."""
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "test_mine.py").write_text(MINE)

    def run(*arguments: str) -> tuple[int, str]:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            "/dev/null",
            "--rootdir",
            ".",
            "-rA",
            "--gk-time-factor=0.1",
        ]
        done = subprocess.run(
            [*command, f"--gk-device={fake.url}", "--gk-password-file=password", "--gk-cache=cache", *arguments],
            cwd=tmp_path,
            env=dict(os.environ),
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_what_is_refused_is_skipped_and_the_rest_is_judged(run: Run, fake: FakeDevice, tmp_path: Path) -> None:
    status, said = run()
    assert status == 0, said
    assert "3 passed" not in said
    assert "2 passed, 2 skipped, 1 deselected" in said
    assert said.count("--gk-device-may reboot allows it") >= 2
    assert f"gokrazy: the real device at {fake.url}, known by its own word only" in said
    assert "pytest test_mine.py" not in said
    assert {method for method, _, _ in fake.requests} == {"GET"}
    kept = [path for path in (tmp_path / ".gokharness").rglob("*") if path.is_file()]
    assert any(path.name == "report.html" for path in kept)
    assert not any(PASSWORD.encode() in path.read_bytes() for path in kept)
    assert PASSWORD not in said


def test_a_refusal_does_not_hide_a_death(run: Run, tmp_path: Path, fake: FakeDevice) -> None:
    (tmp_path / "test_mine.py").write_text(
        """
import requests


def test_dies(appliance):
    # The device that is played falls, which is none of the plugin's doing.
    requests.post(appliance.url(appliance.image.http_port, "/reboot"), auth=("gokrazy", "geheim-ä".encode()))
    appliance.cut_power()
"""
    )

    def fall(handler: object) -> None:
        for one in fake.status["Services"]:
            one["StartTime"] = "1970-01-01T00:00:05.5Z"
        handler.reply(200, "")  # type: ignore[attr-defined]

    fake.power_answer = fall
    status, said = run()
    assert status == 1, said
    assert "the device was started again in this test, and nothing had asked for it" in said
    assert "1 failed" in said


def test_a_strict_run_takes_no_skip(run: Run) -> None:
    assert run("--gk-strict")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["-n", "2"], "--gk-device is for one process: leave out -n (pytest-xdist)"),
        (["--gk-board", "virt"], "--gk-board: this is for machines, and --gk-device tests a real device"),
        (["--gk-kernel", "m@v1"], "--gk-kernel: this is for machines"),
        (["--gk-device-may", "fly"], "'fly' is nothing that a run may do"),
        (["--gk-device-may", "power"], "nothing switches it"),
    ],
)
def test_what_does_not_go_with_a_device_is_refused_before_it_is_asked(
    run: Run, fake: FakeDevice, arguments: list[str], why: str
) -> None:
    status, said = run(*arguments)
    assert status == 4, said
    assert why in said
    assert fake.requests == []


def test_a_serial_port_that_cannot_be_had_is_one_error(run: Run, tmp_path: Path) -> None:
    status, said = run(f"--gk-device-serial={tmp_path / 'ttyUSB9'}")
    assert status == 4, said
    assert said.count("the serial port cannot be opened: No such file or directory") == 1


def test_a_device_that_is_not_there_is_one_error(run: Run, fake: FakeDevice) -> None:
    fake.server.shutdown()
    fake.server.server_close()
    status, said = run()
    assert status == 1, said
    assert said.count("waited") == 1
    assert "connection refused" in said
    assert "Traceback" not in said


def test_a_run_lists_what_would_be_skipped_and_why(run: Run) -> None:
    status, said = run("--gk-list")
    assert status == 0, said
    assert "test_on_a_board[device]" in said
