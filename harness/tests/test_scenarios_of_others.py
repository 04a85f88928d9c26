"""Scenarios against played appliances of other people: what is healthy there passes, what is not is red."""

from __future__ import annotations

import hashlib
import json
import runpy
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.appliance.appliance import Appliance
from harness.console.phases import Boot, Cause, Phase
from harness.errors import ApplianceFault, AuthenticationRefused, WaitTimeout
from harness.firmware.voice import Voice
from harness.image.model import Builder, Image, Kernel
from harness.package_data import scenarios_folder
from harness.segment.log_server import LogMessage, LogServer
from harness.tests.appliance.test_abilities import IMAGE
from harness.tests.verdict.scenario import BOOTS, scenario

MODULES = "boot:test_kernel_and_modules_are_the_ones_built_and_fit_each_other"
SHOWS = "boot:test_the_console_shows_a_clean_boot_in_the_right_order"
PERM_SAYS = "configuration:test_what_perm_says_of_password_and_log_server_counts_from_the_start"
NAMES_EACH = "sbom:test_the_bill_of_materials_names_each_program_module_and_extra_file"
OF_B = "root=PARTUUID=60c24cc1-f3f9-427a-8199-000000000001/PARTNROFF=2 init=/gokrazy/init"
OF_A = OF_B.replace("PARTNROFF=2", "PARTNROFF=1")


class Played(SimpleNamespace):
    """An appliance that says what a test has it say."""

    image: Image

    def can(self, ability: str) -> bool:
        return True

    @property
    def first_slot(self) -> object:
        return Appliance.first_slot.fget(self)  # type: ignore[attr-defined]

    def demand(self, name: str) -> Any:
        return nullcontext()

    def wait_until_settled(self) -> None:
        pass

    def check_modules(self, running: str, modules: tuple[str, ...]) -> None:
        Appliance.check_modules(self, running, modules)  # type: ignore[arg-type]


class Rescue:
    """Its shell: the kernel that runs, and the folders with modules that are there."""

    def __init__(self, running: str, modules: tuple[str, ...]) -> None:
        self.running = running
        self.modules = modules

    def run(self, line: str, *, check: bool = True) -> SimpleNamespace:
        if line == "cat /proc/sys/kernel/osrelease":
            return SimpleNamespace(text=self.running, status=0)
        assert line == "ls /lib/modules"
        assert self.modules or not check, "ls ends with 1 where there is no such folder"
        return SimpleNamespace(text="\n".join(self.modules), status=0 if self.modules else 1)


def with_kernel(kernel: Kernel, *, running: str, modules: tuple[str, ...]) -> Played:
    @contextmanager
    def breakglass() -> Iterator[Rescue]:
        yield Rescue(running, modules)

    console = SimpleNamespace(name="mine")
    return Played(image=replace(IMAGE, kernel=kernel), breakglass=breakglass, console=console)


@pytest.mark.parametrize(
    ("kernel", "modules"),
    [
        (Kernel("6.1.0", modules=("6.1.0",)), ("6.1.0",)),
        (Kernel("6.1.0"), ()),
        (Kernel("", modules=("6.1.0",)), ("6.1.0",)),
        (Kernel("6.1.0", modules=("5.9.0", "6.1.0")), ("5.9.0", "6.1.0")),
    ],
    ids=["gokrazy's", "without-modules", "of-a-file-that-does-not-tell", "with-modules-of-another-besides"],
)
def test_a_kernel_that_has_the_modules_it_can_load_is_healthy(kernel: Kernel, modules: tuple[str, ...]) -> None:
    scenario(MODULES)(with_kernel(kernel, running="6.1.0", modules=modules))


@pytest.mark.parametrize(
    ("kernel", "modules"),
    [
        (Kernel("6.1.0", modules=("6.1.1",)), ("6.1.1",)),
        (Kernel("6.1.0", modules=("6.1.0",)), ()),
        (Kernel("6.1.1", modules=("6.1.0",)), ("6.1.0",)),
    ],
    ids=["modules-of-another-only", "modules-lost", "another-kernel-runs"],
)
def test_a_kernel_without_those_that_it_should_have_is_not(kernel: Kernel, modules: tuple[str, ...]) -> None:
    with pytest.raises((AssertionError, ApplianceFault)):
        scenario(MODULES)(with_kernel(kernel, running="6.1.0", modules=modules))


def started(line: str, runs: str) -> Played:
    boot = Boot(1, Cause.POWER_ON, 0.0, kernel="6.1.0", cmdline=runs, hostname="mine", build="now")
    boot.at = dict.fromkeys((Phase.KERNEL, Phase.ROOT, Phase.INIT, Phase.BUILD, Phase.HTTP), 1.0)
    boot.inactive = 2 if runs == OF_B else 3
    return Played(
        image=replace(IMAGE, cmdline=line, kernel=Kernel("6.1.0")),
        budget=SimpleNamespace(ready=10.0, reboot=10.0),
        voice=Voice("ttyAMA0", kernel=True, init=True),
        cold_start=SimpleNamespace(resets=0, ready=5.0, boot=boot, earlier=(), unclean=()),
        console=SimpleNamespace(boots=[boot], unclean=list),
        status=lambda: SimpleNamespace(hostname="mine", build_timestamp="now"),
        build="now",
        slot=boot.slot,
    )


@pytest.mark.parametrize("name", [BOOTS, SHOWS])
@pytest.mark.parametrize("line", [OF_A, OF_B, "root=/dev/mmcblk0p3 init=/gokrazy/init", ""])
def test_an_image_starts_from_the_slot_that_its_command_line_names(name: str, line: str) -> None:
    is_b = line in (OF_B, "root=/dev/mmcblk0p3 init=/gokrazy/init")
    scenario(name)(started(line, OF_B if is_b else OF_A))
    with pytest.raises(AssertionError):
        scenario(name)(started(line, OF_A if is_b else OF_B))


def with_log_server(heard: dict[str, str]) -> Played:
    """One with two services that run, and one that was never started; ``heard`` is by the tag."""

    @contextmanager
    def log_server() -> Iterator[LogServer]:
        server = LogServer()
        for tag, text in heard.items():
            server.heard.put(LogMessage(text, 6, "now", "mine", tag))
        yield server

    def refuse() -> None:
        raise AuthenticationRefused("another password")

    services = [("/gokrazy/dhcp", "then"), ("/user/talks", "then"), ("/user/rests", None)]
    return Played(
        running=SimpleNamespace(hostname="mine", password="pw"),
        budget=SimpleNamespace(service=0.01),
        set_password=lambda password: None,
        log_server=log_server,
        power_on=lambda: None,
        wait_until_ready=lambda: None,
        device_with_password=lambda password: SimpleNamespace(status=refuse),
        status=lambda: SimpleNamespace(
            services=[SimpleNamespace(path=path, started=started) for path, started in services]
        ),
    )


def attempt(path: str) -> str:
    return f'2026/11/27 00:40:00 gokrazy: attempt 0, starting ["{path}"]'


@pytest.mark.parametrize("said", [attempt("/user/talks"), "line 217"], ids=["its-first-line", "its-last-lines"])
def test_a_service_may_have_said_more_than_init_keeps_before_the_network_is_there(said: str) -> None:
    scenario(PERM_SAYS)(with_log_server({"dhcp": attempt("/gokrazy/dhcp"), "talks": said}))


@pytest.mark.parametrize(
    ("heard", "says"),
    [
        ({}, "a message of /gokrazy/dhcp; the log server heard nothing"),
        ({"dhcp": attempt("/gokrazy/dhcp")}, "a message of /user/talks; the log server heard 1 others"),
        ({"dhcp": "lease", "talks": "line 217"}, "a message that fits .*attempt.*; the log server heard 2 others"),
        ({"dhcp": "lease", "talks": "no attempt 1, starting it"}, "a message that fits .*attempt"),
    ],
    ids=["none", "one", "none-from-the-start", "none-of-init-from-the-start"],
)
def test_a_log_server_hears_each_service_and_one_from_its_start(heard: dict[str, str], says: str) -> None:
    with pytest.raises(WaitTimeout, match=says):
        scenario(PERM_SAYS)(with_log_server(heard))


def names_each(folder: Path, builder: Builder, *named: str) -> None:
    """The scenario, for an instance whose packages bring a file each, and for a bill that names these files."""
    owners = {
        "program.txt": "example.org/mine",
        "system.txt": "example.org/dhcp",
        "kernel.txt": "example.org/kernel",
        "firmware.txt": "example.org/firmware",
        "eeprom.txt": "example.org/eeprom",
        "init.txt": "github.com/gokrazy/gokrazy",
        "left.txt": "example.org/left-over",
    }
    config = {
        "Hostname": "mine",
        "Update": {"NoPassword": True},
        "Packages": ["example.org/mine"],
        "GokrazyPackages": ["example.org/dhcp"],
        "KernelPackage": "example.org/kernel@v1.2.3",
        "FirmwarePackage": "example.org/firmware",
        "EEPROMPackage": "example.org/eeprom",
        "PackageConfig": {owner: {"ExtraFilePaths": {f"/etc/{file}": file}} for file, owner in owners.items()},
    }
    (folder / "config.json").write_text(json.dumps(config))
    for file in owners:
        (folder / file).write_text(file)
    appliance = Played(
        image=replace(IMAGE, builder=builder, instance=str(folder)),
        check_sbom=lambda: None,
        status=lambda: SimpleNamespace(services=[]),
    )
    files = [SimpleNamespace(sha256=hashlib.sha256(name.encode()).hexdigest()) for name in named]
    shared = runpy.run_path(str(scenarios_folder() / "conftest.py"))
    scenario(NAMES_EACH)(appliance, SimpleNamespace(programs=(), files=files), shared["files_of_bill"])


OF_PACKAGES = ("program.txt", "system.txt", "kernel.txt", "firmware.txt", "eeprom.txt", "init.txt")


def test_the_bill_of_gok_lacks_what_a_package_config_without_its_package_brings(tmp_path: Path) -> None:
    names_each(tmp_path, "gok", *OF_PACKAGES)
    names_each(tmp_path, "own", *OF_PACKAGES, "left.txt")


@pytest.mark.parametrize(
    ("builder", "lacks"), [*(("gok", file) for file in OF_PACKAGES), ("own", "left.txt"), ("own", "init.txt")]
)
def test_a_bill_that_lacks_another_extra_file_is_red_and_says_which(
    builder: Builder, lacks: str, tmp_path: Path
) -> None:
    named = [one for one in (*OF_PACKAGES, "left.txt") if one != lacks]
    with pytest.raises(AssertionError, match=f"the bill of materials does not name .*/{lacks}$"):
        names_each(tmp_path, builder, *named)
