"""Scenarios against played appliances of other people: what is healthy there passes, what is not is red."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from harness.appliance.appliance import Appliance
from harness.console.phases import Boot, Cause, Phase
from harness.errors import ApplianceFault
from harness.firmware.voice import Voice
from harness.image.model import Image, Kernel
from harness.tests.appliance.test_abilities import IMAGE
from harness.tests.verdict.scenario import BOOTS, scenario

MODULES = "boot:test_kernel_and_modules_are_the_ones_built_and_fit_each_other"
SHOWS = "boot:test_the_console_shows_a_clean_boot_in_the_right_order"
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
