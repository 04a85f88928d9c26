"""Proof of bite: damaged on purpose, the appliance must turn the right scenario red, soon, naming the cause."""

from __future__ import annotations

import importlib.util
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.appliance.appliance import Appliance
from harness.appliance.wanted import Wanted
from harness.boards import board
from harness.errors import (
    ApplianceFault,
    AuthenticationRefused,
    BootFailure,
    DeviceUnreachable,
    FirmwareFailure,
    HarnessError,
    InitFailure,
    KernelPanic,
    WaitTimeout,
)
from harness.faults.disk import replace_root, with_file, without, zero
from harness.image.model import Extent
from harness.image.squashfs import Node, SquashFs
from harness.lab.lab import Lab
from harness.machine.partitions import write_perm
from harness.options import Settings
from harness.package_data import scenarios_folder

pytestmark = pytest.mark.gk_tier("ci")

BOARD = "virt"
SOON = 120.0
"""Seconds until red, on a busy host; what is measured is printed."""


def scenario(name: str) -> Callable[..., None]:
    """A scenario's own function, such as ``boot:test_...``."""
    module, function = name.split(":")
    path = scenarios_folder() / f"test_{module}.py"
    spec = importlib.util.spec_from_file_location(f"scenario_{module}", path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    found: Callable[..., None] = getattr(loaded, function)
    return found


@dataclass(frozen=True)
class Case:
    name: str
    damage: Callable[[Appliance], None]
    scenario: str
    error: type[BaseException]
    words: str
    """What the error must say, as a pattern over its whole text."""
    board: str = BOARD


BOOTS = "boot:test_the_appliance_boots_from_power_on_to_its_web_interface"


def truncated_root(appliance: Appliance) -> None:
    start = appliance.image.layout.root_a.offset
    used = SquashFs(appliance.image.path, start).bytes_used
    zero(appliance, Extent(start + used // 4, used - used // 4))


def damaged_kernel(appliance: Appliance) -> None:
    appliance.edit_boot_file("vmlinuz", lambda kernel: bytes(len(kernel) // 2) + kernel[len(kernel) // 2 :])


def wrong_partuuid(appliance: Appliance) -> None:
    appliance.edit_boot_file("cmdline.txt", lambda text: re.sub(rb"PARTUUID=60c24cc1", b"PARTUUID=deadbeef", text))


def foreign_init(appliance: Appliance) -> None:
    # Only the ELF header's machine: the kernel looks no further.
    image = appliance.image
    init = SquashFs(image.path, image.layout.root_a.offset).read("/gokrazy/init")
    replace_root(appliance, with_file("/gokrazy/init", init[:18] + b"\x3e\x00" + init[20:]))


def nobody_authorised(appliance: Appliance) -> None:
    write_perm(appliance.power.overlay, appliance.image, "breakglass.authorized_keys", b"# nobody\n")


CASES = (
    Case(
        "no init",
        lambda appliance: replace_root(appliance, without("/gokrazy/init")),
        BOOTS,
        InitFailure,
        r"/gokrazy/init",
    ),
    Case("init of a foreign architecture", foreign_init, BOOTS, InitFailure, r"architecture"),
    Case("truncated root file system", truncated_root, BOOTS, BootFailure, r"(?i)squashfs|root|init"),
    Case("damaged kernel", damaged_kernel, BOOTS, FirmwareFailure, r"vmlinuz"),
    Case("wrong PARTUUID", wrong_partuuid, BOOTS, KernelPanic, r"(?i)root"),
    Case(
        "empty command line",
        lambda appliance: appliance.edit_boot_file("cmdline.txt", lambda text: b" " * len(text)),
        BOOTS,
        FirmwareFailure,
        r"cmdline.txt",
    ),
    Case(
        "wrong PARTUUID in a Pi's command line, which says rootwait",
        wrong_partuuid,
        BOOTS,
        BootFailure,
        r"root device PARTUUID=deadbeef",
        board="raspi-virt",
    ),
    Case(
        "empty command line on a Pi",
        lambda appliance: appliance.edit_boot_file("cmdline.txt", lambda text: b" " * len(text)),
        BOOTS,
        FirmwareFailure,
        r"cmdline.txt",
        board="raspi4b",
    ),
    Case(
        "wrong password",
        lambda appliance: replace_root(appliance, with_file("/etc/gokr-pw.txt", b"another-one")),
        BOOTS,
        AuthenticationRefused,
        r"gokrazy",
    ),
    Case(
        "no DHCP",
        lambda appliance: replace_root(appliance, without("/gokrazy/dhcp")),
        BOOTS,
        BootFailure,
        r"DHCP",
    ),
    Case(
        "web interface on another port",
        lambda appliance: replace_root(appliance, with_file("/etc/http-port.txt", b"81")),
        BOOTS,
        DeviceUnreachable,
        r"10\.0\.2\.15:81",
    ),
    Case(
        "service missing",
        lambda appliance: replace_root(appliance, without("/user/hello")),
        "boot:test_every_service_is_in_its_expected_state",
        ApplianceFault,
        r"no such file",
    ),
    Case(
        "no key for breakglass",
        nobody_authorised,
        "breakglass:test_commands_report_their_output_and_status",
        HarnessError,
        r"(?i)key|refused",
    ),
    Case(
        "modules missing",
        lambda appliance: replace_root(appliance, without_modules),
        "boot:test_kernel_and_modules_are_the_ones_built_and_fit_each_other",
        AssertionError,
        r"modules",
    ),
)


def without_modules(path: str, node: Node) -> Node | None:
    return None if path.startswith("/lib/modules/") else node


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    artifacts = Path(os.environ.get("GK_BITE_ARTIFACTS", str(tmp_path_factory.mktemp("bite"))))
    names = tuple({case.board for case in CASES})
    with Lab(Settings(boards=names, artifacts=artifacts)) as lab:
        lab.prepare({(name, "hello"): False for name in names})
        yield lab


def as_pytest_would(body: Callable[..., None], appliance: Appliance) -> None:
    """The fixture's part, then the scenario's."""
    appliance.power_on()
    appliance.wait_until_ready()
    body(appliance)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_damage_turns_the_right_scenario_red(
    case: Case,
    lab: Lab,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    body = scenario(case.scenario)
    with lab.appliance(Wanted(board(case.board), f"bite-{case.name}", running=False)) as appliance:
        case.damage(appliance)
        began = time.monotonic()
        with pytest.raises(case.error) as caught:
            as_pytest_would(body, appliance)
        seconds = time.monotonic() - began
    # A plain assertion has no text of its own here: the statement that failed speaks for it.
    said = str(caught.value) or str(caught.traceback[-1].statement)
    assert re.search(case.words, said), said
    assert seconds < SOON
    first = said.splitlines()[0]
    record_property("caught by", case.scenario.split(":")[1])
    record_property("seconds until red", f"{seconds:.1f}")
    record_property("first line", first)
    with capsys.disabled():
        print(f"\n{case.name}: {case.scenario.split(':')[1]} red after {seconds:.1f} s: {first}")


def test_without_damage_the_same_scenario_is_green(lab: Lab) -> None:
    with lab.appliance(Wanted(board(BOARD), "bite-none", running=False)) as appliance:
        replace_root(appliance, lambda _path, node: node)
        as_pytest_would(scenario(BOOTS), appliance)


def test_a_start_that_falls_once_before_it_is_up_is_red(lab: Lab) -> None:
    """Without a console to tell of it, it would pass for a slow one: the machine's own resets are counted."""
    with lab.appliance(Wanted(board(BOARD), "bite-falls-once", running=False)) as appliance:
        appliance.power_on()
        appliance.wait_for_boot(after=0)
        appliance.power.reset()
        appliance.wait_until_ready()
        with pytest.raises(AssertionError) as caught:
            scenario(BOOTS)(appliance)
    assert "cold_start.resets" in str(caught.traceback[-1].statement)


def test_a_device_that_lost_its_routes_says_so_itself(lab: Lab) -> None:
    """As gokrazy's DHCP client can lose them; from outside that is a device which does not answer."""
    with lab.appliance(Wanted(board(BOARD), "bite-routes")) as appliance:
        routes = appliance.shell.check("ip route").splitlines()
        assert any(route.startswith("10.0.2.0/24") for route in routes)
        for route in routes:
            appliance.shell.check(f"ip route del {route}")
        with pytest.raises((DeviceUnreachable, WaitTimeout)) as caught:
            appliance.device.wait_until_ready(5.0)
        said = dict(appliance.excerpts(caught.value))["gokrazy network, by the device's own word"]
        assert "inet 10.0.2.15" in said
        assert "10.0.2.0/24" not in said.replace("inet 10.0.2.15/24", "")
