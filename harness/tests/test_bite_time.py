"""Proof of bite for what no finished image can have: a time that is known too early, lost, or never random."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from harness.appliance.appliance import Appliance
from harness.appliance.wanted import Wanted
from harness.boards import board
from harness.errors import WaitTimeout
from harness.faults import disk
from harness.lab.lab import Lab
from harness.options import Settings
from harness.package_data import images_folder
from harness.tests.verdict import programs
from harness.tests.verdict.damage import Disk, with_program
from harness.tests.verdict.scenario import as_pytest_would, must_be_red, scenario

pytestmark = pytest.mark.gk_tier("nightly")

PI = "raspi-virt"
WAITS = "time:test_what_needs_the_time_starts_once_a_server_says_it_and_not_before"
KEEPS = "time:test_the_time_survives_a_reboot_without_a_server"
DIFFER = "random:test_two_cold_boots_of_the_same_disk_without_a_seed_differ"


def knows_the_time(appliance: Appliance) -> None:
    appliance.set_clock(datetime(2031, 2, 3, tzinfo=UTC))


def same_numbers(appliance: Appliance) -> None:
    with_program("/user/hello", programs.SAME_AT_EVERY_START)(Disk.of(appliance))


@dataclass(frozen=True)
class Case:
    name: str
    damage: Callable[[Appliance], None]
    scenario: str
    error: type[BaseException]
    words: str
    board: str = PI
    family: str = "crasher"
    is_off: bool = False
    """Whether the scenario switches the appliance on itself."""


CASES = (
    Case("the time is known before anybody says it", knows_the_time, WAITS, AssertionError, "1970"),
    Case("no time is kept over a reboot", disk.blank_perm, KEEPS, WaitTimeout, "ntp-time-at-last-shutdown"),
    Case("the same numbers at every start", same_numbers, DIFFER, AssertionError, "boot", "virt", "hello", True),
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(Settings(boards=(PI, "virt"), artifacts=tmp_path_factory.mktemp("bite"))) as lab:
        yield lab


def run(case: Case, lab: Lab, wanted: Wanted) -> None:
    body = scenario(case.scenario)
    with lab.appliance(wanted) as appliance:
        case.damage(appliance)
        start = body if case.is_off else partial(as_pytest_would, body)
        must_be_red(lambda: start(appliance), case.error, case.words)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_damage_turns_the_right_scenario_red(case: Case, lab: Lab) -> None:
    wanted = Wanted(board(case.board), f"bite-{case.name}", running=False, family=case.family, clock="unset")
    run(case, lab, wanted)


def test_a_service_that_does_not_wait_for_the_time_is_red(lab: Lab, tmp_path: Path) -> None:
    for name in ("programs", "crasher-rpi"):
        shutil.copytree(images_folder() / name, tmp_path / name)
    config = tmp_path / "crasher-rpi" / "config.json"
    said = json.loads(config.read_text("utf-8"))
    del said["PackageConfig"]["gokrazy.test/programs/cmd/clock"]["WaitForClock"]
    config.write_text(json.dumps(said), "utf-8")
    image = lab.images.build(str(config.parent))
    wanted = Wanted(board(PI), "bite-does-not-wait", running=False, image=image, clock="unset")
    case = Case("does not wait", lambda _: None, WAITS, AssertionError, "did not wait for the clock")
    run(case, lab, wanted)
