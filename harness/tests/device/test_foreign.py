"""A machine that is reached as a real device is: it is judged, and only looked at unless more is allowed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.package_data import scenarios_folder
from harness.tests.device.foreign import Foreign, foreign

pytestmark = pytest.mark.gk_tier("ci")

MINE = """
import pytest


def test_dies(appliance):
    with appliance.breakglass() as rescue:
        # breakglass has just written its host key, and leaves it to the kernel when that reaches the disk.
        rescue.run("sync")
        rescue.run("echo c > /proc/sysrq-trigger")


def test_is_well_again(appliance):
    assert appliance.status().hostname == "hello-arm64"
    with appliance.breakglass() as rescue:
        assert "root=" in rescue.run("cat /proc/cmdline").text


def test_reboots(appliance):
    appliance.reboot()


def test_is_cut_off(appliance):
    appliance.cut_power()


@pytest.mark.gk_cold
def test_wants_it_fresh(appliance):
    pass


def test_goes_back_in_time(appliance):
    appliance.checkpoint("here")


def test_switches_on(appliance_off):
    appliance_off.power_on()


def test_updates(appliance, next_image):
    appliance.update(next_image)


def test_asks_for_more_at_its_door(appliance):
    appliance.device.endpoint.request("POST", "/unheard-of")
"""

NOT_OF_A_DEVICE = "needs emulation|the project's own crasher image|no limit is set for it"
"""Why a scenario does not run on a real device that may do everything."""


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    with foreign(tmp_path_factory.mktemp("foreign")) as made:
        yield made


def run(folder: Path, *arguments: str) -> tuple[dict[str, tuple[str, str]], str, dict[str, Any]]:
    """What came of each test and why, what was printed, and the report."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", "/dev/null", "--rootdir", str(folder), "-rA"),
            *(f"--gk-artifacts={folder / 'artifacts'}", f"--gk-cache={folder / 'cache'}", *arguments),
        ],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=1800,
    )
    said = done.stdout + done.stderr
    report = folder / "artifacts/report.json"
    assert report.is_file(), said
    document = json.loads(report.read_text())
    tests = {one["nodeid"].rpartition("::")[2]: (one["outcome"], one["what"]) for one in document["tests"]}
    return tests, said, document


@pytest.mark.gk_tier("nightly")
def test_without_leave_it_is_only_looked_at(device: Foreign, tmp_path: Path) -> None:
    before = device.appliance.status()
    tests, said, _ = run(tmp_path, *device.options, str(scenarios_folder()))
    passed = {name for name, (outcome, _) in tests.items() if outcome == "passed"}
    assert passed == {
        "test_the_web_interface_asks_for_the_password[device]",
        "test_every_service_is_in_its_expected_state[device]",
        "test_the_browser_is_asked_for_the_password[device]",
        "test_the_front_page_lists_all_services_with_their_state[device]",
    }, said
    assert {outcome for outcome, _ in tests.values()} == {"passed", "skipped"}, said
    assert "--gk-device-may shell" in tests["test_files_go_both_ways_unharmed[device]"][1]
    assert "--gk-device-may services" in tests["test_its_buttons_stop_start_and_restart_a_service[device]"][1]
    assert "POST" not in said
    assert device.web.asked
    assert device.web.changing == []
    assert device.ssh.asked == []
    assert device.switched == []
    after = device.appliance.status()
    assert [(one.path, one.pid) for one in after.services] == [(one.path, one.pid) for one in before.services]
    assert str(device.appliance.image.password) not in said


def test_it_dies_in_words_and_nothing_is_done_that_was_not_allowed(device: Foreign, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(MINE)
    tests, said, document = run(
        tmp_path,
        *device.options,
        "--gk-device-may=shell",
        f"--gk-image={device.appliance.image.path}",
        "test_mine.py",
    )
    outcome, reason = tests.pop("test_dies[device]")
    assert (outcome, "sysrq triggered crash" in reason) == ("failed", True), said
    failed = [one for one in document["tests"] if one["outcome"] == "failed"]
    assert len(failed) == 1, said
    (died,) = failed
    assert "Kernel panic - not syncing: sysrq triggered crash" in json.dumps(died["story"])
    assert died["fault"] == "APPLIANCE"
    assert died["kind"] == "KernelPanic"
    assert died["reproduce"].startswith("pytest 'test_mine.py::test_dies[device]' ")
    assert f" --gk-device http://127.0.0.1:{device.web.port} " in died["reproduce"]
    assert "--gk-board" not in died["reproduce"]
    assert tests.pop("test_is_well_again[device]")[0] == "passed", said
    assert {name: outcome for name, (outcome, _) in tests.items()} == dict.fromkeys(tests, "skipped"), said
    why = {name.partition("[")[0].removeprefix("test_"): reason for name, (_, reason) in tests.items()}
    assert "--gk-device-may reboot" in why["reboots"]
    assert "--gk-device-may power" in why["is_cut_off"]
    assert "--gk-device-may power" in why["wants_it_fresh"]
    assert "needs emulation" in why["goes_back_in_time"]
    assert "needs emulation" in why["switches_on"]
    assert "--gk-device-may update" in why["updates"]
    assert len(why) == 7
    assert "nobody knows what POST /unheard-of does" in why["asks_for_more_at_its_door"]
    # Breakglass was started and stopped, and that is all.
    assert {path for _, path in device.web.changing} == {"/restart", "/stop"}
    assert device.switched == []


@pytest.mark.gk_tier("nightly")
def test_with_leave_it_passes_all_that_needs_no_emulation(device: Foreign, tmp_path: Path) -> None:
    before = device.appliance.status().build_timestamp
    tests, said, document = run(
        tmp_path,
        *device.options,
        f"--gk-device-power={device.power}",
        "--gk-device-may=services,shell,reboot,update,power",
        f"--gk-image={device.appliance.image.path}",
        f"--gk-next-image={device.next_image.path}",
        str(scenarios_folder()),
    )
    others = {name: why for name, (outcome, why) in tests.items() if outcome != "passed"}
    assert {outcome for outcome, _ in tests.values()} == {"passed", "skipped"}, said
    assert [why for why in others.values() if not re.search(NOT_OF_A_DEVICE, why)] == [], said
    assert "test_update_flips_the_slot_and_back_and_keeps_the_data[device]" in tests
    assert "test_the_console_shows_a_clean_boot_in_the_right_order[device]" in tests
    assert len(tests) - len(others) >= 30
    assert device.switched[:2] == ["off", "on"]
    assert device.appliance.status().build_timestamp == before
    assert {board for board, _, _ in document["boots"]} == {"device"}
