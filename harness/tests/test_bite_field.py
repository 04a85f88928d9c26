"""Proof of bite for what people do with their devices: damaged on purpose, the right scenario turns red."""

from __future__ import annotations

import inspect
import runpy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.appliance.appliance import Appliance
from harness.appliance.updates import Order
from harness.appliance.wanted import Wanted
from harness.boards import board
from harness.build.own_program import build_own_program
from harness.errors import ApplianceFault, CommandFailed, WaitTimeout
from harness.gokrazy.update import Updater
from harness.lab.lab import Lab
from harness.options import Settings
from harness.package_data import scenarios_folder
from harness.tests.verdict.scenario import must_be_red, scenario

pytestmark = pytest.mark.gk_tier("nightly")

BOARD = "virt"
LINKS = "/user/links"
FILE = "/perm/home/links/data.db"


@dataclass(frozen=True)
class Case:
    name: str
    damage: Callable[[Appliance, Path], object]
    scenario: str
    error: type[BaseException]
    words: str
    """What the error must say, as a pattern over its whole text."""
    family: str = "field"


def run(command: str) -> Callable[[Appliance, Path], None]:
    """Damage by a command on the device."""

    def damage(appliance: Appliance, _: Path) -> None:
        with appliance.breakglass() as rescue:
            rescue.run(command)

    return damage


def kept_in_memory(appliance: Appliance, folder: Path) -> None:
    run("mount -t tmpfs none /perm/home/links")(appliance, folder)
    before = appliance.service(LINKS)
    appliance.restart(LINKS)
    appliance.wait_until_runs_anew(before)


def answers_before_it_is_on_the_disk(appliance: Appliance, folder: Path) -> None:
    program = build_own_program("links", appliance.image.arch, folder / "links")
    appliance.run_instead(LINKS, program, "-synchronous=OFF")


def not_started_again(appliance: Appliance, _: Path) -> None:
    before = appliance.service(LINKS)
    appliance.device.restart(LINKS, supervise="loop")
    appliance.wait_until_runs_anew(before)
    appliance.device.stop(LINKS)
    appliance.wait_until_stopped(LINKS)
    appliance.device.restart(LINKS, supervise="once")


CASES = (
    Case(
        "nothing in /tmp may be executed",
        run("mount -o remount,noexec /tmp"),
        "run:test_a_program_built_here_runs_in_place_of_a_service_until_the_next_boot",
        ApplianceFault,
        r"(?s)did not run in place of /user/hello.*permission denied",
        family="hello",
    ),
    Case(
        "links are kept in memory",
        kept_in_memory,
        "data:test_links_outlive_a_power_cut_while_they_are_written",
        AssertionError,
        r"lost|links that were confirmed are gone",
    ),
    Case(
        "links are confirmed before they are on the disk",
        answers_before_it_is_on_the_disk,
        "data:test_links_outlive_a_power_cut_while_they_are_written",
        AssertionError,
        r"lost|links that were confirmed are gone",
    ),
    Case(
        "the service is not started again",
        not_started_again,
        "data:test_links_outlive_a_crash_and_a_restart",
        WaitTimeout,
        r"running anew",
    ),
    Case(
        "the database is damaged",
        run(f"rm -f {FILE}-wal; dd if=/dev/urandom of={FILE} bs=512 count=8; killall links"),
        "data:test_links_outlive_a_crash_and_a_restart",
        WaitTimeout,
        r"a program to answer at port 8081",
    ),
    Case(
        "there is no place for a backup",
        run("mkdir /tmp/backup.db"),
        "data:test_a_backup_is_taken_by_breakglass_while_links_are_written",
        CommandFailed,
        r"backup",
    ),
    Case(
        "the service stands still",
        run("killall -STOP links"),
        "profile:test_the_memory_of_a_service_is_profiled",
        WaitTimeout,
        r"a program to answer at port 8081",
    ),
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(Settings(boards=(BOARD,), artifacts=tmp_path_factory.mktemp("bite"))) as lab:
        lab.prepare({(BOARD, "hello"): True, (BOARD, "field"): False})
        yield lab


def fixtures(lab: Lab, name: str, folder: Path) -> dict[str, Any]:
    """What the scenarios take beside the appliance."""
    known: dict[str, Any] = {
        "own_program": lambda program, arch: build_own_program(program, arch, folder / program),
        "tmp_path": folder,
        "go": lambda *_: pytest.fail("nothing came that Go could judge"),
    }
    taken = inspect.signature(scenario(name)).parameters
    return {key: value for key, value in known.items() if key in taken}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_damage_turns_the_right_scenario_red(case: Case, lab: Lab, tmp_path: Path) -> None:
    body, more = scenario(case.scenario), fixtures(lab, case.scenario, tmp_path)
    with lab.appliance(Wanted(board(BOARD), f"bite-{case.name}", family=case.family, reboots=True)) as appliance:
        case.damage(appliance, tmp_path)
        must_be_red(lambda: body(appliance, **more), case.error, case.words)


def test_a_client_that_sends_another_byte_is_told_apart(lab: Lab, tmp_path: Path) -> None:
    def sloppy(order: Order) -> None:
        boot = tmp_path / "boot.img"
        data = bytearray(order.files.boot.read_bytes())
        data[-1] ^= 1
        boot.write_bytes(data)
        Updater(appliance.device).update(root=order.files.root, boot=boot, mbr=order.files.mbr)
        appliance.device.reboot()

    def partitions(appliance: Appliance) -> object:
        return shared["read_partitions"](appliance, tmp_path)

    shared = runpy.run_path(str(scenarios_folder() / "conftest.py"))
    following = lab.next_image(board(BOARD), "hello")
    body = scenario("stock_client:test_both_clients_flip_the_device_and_leave_the_same_partitions")
    with lab.appliance(Wanted(board(BOARD), "bite-client", reboots=True)) as appliance:
        must_be_red(lambda: body(appliance, following, sloppy, partitions), AssertionError, r"theirs == ours")


def selfupdate(lab: Lab, folder: Path, name: str, program: str, wanted: str = "") -> Callable[[Appliance], object]:
    """A scenario of automatic updates with another client, or another hash than that of the archive."""
    following = lab.next_image(board(BOARD), "hello")
    archive, digest = runpy.run_path(str(scenarios_folder() / "conftest.py"))["make_release"](following, folder)
    client = build_own_program(program, following.arch, folder / program)
    given = {"next_image": following, "client": client, "release": (archive, wanted or digest)}
    body = scenario(f"selfupdate:{name}")
    taken = inspect.signature(body).parameters
    return lambda appliance: body(appliance, **{key: value for key, value in given.items() if key in taken})


def test_a_device_that_does_not_run_what_was_offered_is_red(lab: Lab, tmp_path: Path) -> None:
    """It would update itself for ever: what it runs is never what is wanted."""
    body = selfupdate(lab, tmp_path, "test_a_device_updates_itself_and_then_stays", "selfupdate", "0" * 64)
    with lab.appliance(Wanted(board(BOARD), "bite-loop", network="open", reboots=True)) as appliance:
        must_be_red(lambda: body(appliance), AssertionError, r"sbom_hash == wanted")


def test_a_client_that_asks_nobody_is_red(lab: Lab, tmp_path: Path) -> None:
    name = "test_a_damaged_archive_is_refused_and_not_tried_again_and_again"
    body = selfupdate(lab, tmp_path, name, "visitor")
    with lab.appliance(Wanted(board(BOARD), "bite-asks-nobody", network="open")) as appliance:
        must_be_red(lambda: body(appliance), WaitTimeout, r"the archive is damaged")
