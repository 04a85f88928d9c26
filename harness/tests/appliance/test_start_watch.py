"""What a start is blamed for that does not get on, and what it is not blamed for."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from harness.appliance.start_watch import StartWatch, unheard, why_no_address
from harness.boards import board
from harness.console.lines import Line
from harness.console.phases import Boot, Cause, Phase
from harness.errors import BootFailure, DeviceUnreachable, RebootLoop
from harness.firmware.voice import Voice
from harness.image.model import Builder, Image, Service
from harness.tests.appliance.played import played_image
from harness.tests.image.plain import PLAIN

BUDGET = board("virt").budget
HEARD = Voice("ttyAMA0", kernel=True, init=True)
QUIET = Voice("ttyAMA0", kernel=False, init=True)
KERNEL_ONLY = Voice("ttyAMA0", kernel=True, init=False, why="init writes to tty1")
SILENT = Voice("ttyAMA0", kernel=False, init=False, why="its serial console is serial0")
DHCP = Service("/gokrazy/dhcp")


def image(*services: Service, builder: Builder = "own", password: str | None = "pw") -> Image:
    return replace(PLAIN, services=services, builder=builder, password=password)


SAID = [Line(0.1, 0, "of the machine before"), Line(0.0, 30, "power-on", mark=True), Line(0.2, 40, "SeaBIOS ")]


def watch(voice: Voice, now: float, at: dict[Phase, float] | None = None, subject: Any = None, **of: Any) -> None:
    """Look at a start of which the console showed this, so many seconds after power-on."""
    boots: list[Boot] = []
    said = of.pop("said", SAID)
    console: Any = SimpleNamespace(
        boots=boots,
        recording=SimpleNamespace(seconds=lambda: now),
        name="x",
        excerpt=lambda _: "said",
        lines=lambda: said,
    )
    made = StartWatch(console, subject or image(DHCP), voice, BUDGET)
    if at is not None:
        boots.append(Boot(1, Cause.POWER_ON, 0.0, at, **of))
    made.check()


def test_a_kernel_is_missed_where_it_would_be_heard() -> None:
    watch(HEARD, BUDGET.kernel)
    for voice in (HEARD, KERNEL_ONLY):
        with pytest.raises(BootFailure, match="no kernel has started within 45 s of power-on") as caught:
            watch(voice, BUDGET.kernel + 1)
        assert caught.value.overdue
        assert caught.value.what.endswith("; the console said last: SeaBIOS")
        assert "vmlinuz" in caught.value.hint
    with pytest.raises(BootFailure, match="power-on; the console said nothing"):
        watch(HEARD, BUDGET.kernel + 1, said=SAID[:2])


def test_a_kernel_that_does_not_write_there_is_not_missed() -> None:
    watch(SILENT, 10 * BUDGET.ready)
    watch(QUIET, BUDGET.init)
    with pytest.raises(BootFailure, match="init has not said a word within 90 s of power-on") as caught:
        watch(QUIET, BUDGET.init + 1)
    assert "no kernel" not in str(caught.value)


@pytest.mark.parametrize("voice", [KERNEL_ONLY, SILENT])
def test_init_is_not_missed_where_it_is_not_heard(voice: Voice) -> None:
    watch(voice, 10 * BUDGET.ready, {Phase.KERNEL: 1.0, Phase.UPDATER: 2.0})


def test_a_web_interface_on_a_socket_has_no_address_to_wait_for() -> None:
    at = {Phase.KERNEL: 1.0, Phase.UPDATER: 2.0, Phase.SOCKET: 2.1}
    watch(HEARD, 10 * BUDGET.ready, at, image(DHCP, password=None))
    with pytest.raises(BootFailure, match="on no address that others reach: no address came by DHCP"):
        watch(HEARD, 3 + BUDGET.network, at)


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        (image(DHCP), "no address came by DHCP"),
        (image(), "nothing asked for one: gokrazy's DHCP client (cmd/dhcp) is not in the image"),
        (image(builder="given"), "nothing asked for one: gokrazy's DHCP client (cmd/dhcp) is not in the image"),
        (
            image(Service("/gokrazy/dhcp", starts="manual")),
            "nothing asked for one: the instance does not start gokrazy's DHCP client (cmd/dhcp has DontStart)",
        ),
        (
            image(DHCP, builder="given"),
            "no address came by DHCP, or gokrazy's DHCP client is not started (a finished image does not say)",
        ),
    ],
)
def test_one_sentence_says_why_there_is_no_address(subject: Any, why: str) -> None:
    assert why_no_address(subject) == why
    with pytest.raises(BootFailure) as caught:
        watch(HEARD, 3 + BUDGET.network, {Phase.KERNEL: 1.0, Phase.UPDATER: 2.0}, subject)
    assert caught.value.what.endswith(why)


def test_a_kernel_that_does_not_see_its_network_card_is_blamed_for_that() -> None:
    console: Any = SimpleNamespace(
        boots=[], recording=SimpleNamespace(seconds=lambda: 3 + BUDGET.network), name="x", excerpt=lambda _: "said"
    )
    lacks = "the kernel has no driver 8139cp for rtl8139"
    made = StartWatch(console, image(), HEARD, BUDGET, no_card=lacks)
    console.boots.append(Boot(1, Cause.POWER_ON, 0.0, {Phase.KERNEL: 1.0, Phase.UPDATER: 2.0}))
    with pytest.raises(BootFailure) as caught:
        made.check()
    assert caught.value.what.endswith(f"others reach: {lacks}")


@pytest.mark.parametrize(
    ("runs", "why"),
    [
        (True, "no address came by DHCP"),
        (False, "as the device itself says"),
        (None, "does not say)"),
    ],
)
def test_a_finished_image_s_device_is_asked_whether_its_dhcp_client_runs(runs: bool | None, why: str) -> None:
    assert why_no_address(image(DHCP, builder="given"), lambda: runs).endswith(why)


def test_a_start_that_is_not_heard_says_so_where_it_fails() -> None:
    assert unheard(image(DHCP), HEARD) == ""
    assert unheard(image(DHCP), SILENT) == "how far it came is not heard: its serial console is serial0"
    assert "; nothing asked for one: " in unheard(image(), SILENT)


@pytest.mark.parametrize(
    ("address", "hint"),
    [("10.0.2.15:8080", "is the port in the image"), ("192.168.1.5:80", "addresses that begin with 10.0.2. only")],
)
def test_an_address_that_answers_nobody_is_named(address: str, hint: str) -> None:
    with pytest.raises(DeviceUnreachable) as caught:
        watch(HEARD, 3 + BUDGET.answer, {Phase.KERNEL: 1.0, Phase.HTTP: 2.0}, http=(address,))
    assert address in caught.value.what
    assert hint in caught.value.hint


FIRST = Boot(1, Cause.POWER_ON, 0.0)


def asked(count: int) -> list[Boot]:
    return [FIRST, *(Boot(number, Cause.RESET, 9.0 * number, asked=True) for number in range(2, 2 + count))]


@pytest.mark.parametrize(
    ("perm", "reboots", "red"), [("mkfs", 1, False), ("mkfs", 2, True), ("ext4", 3, False), ("ext4", 4, True)]
)
def test_reboots_without_end_are_red_though_a_program_asks_for_each(perm: str, reboots: int, red: bool) -> None:
    boots: list[Boot] = []
    console: Any = SimpleNamespace(boots=boots, name="mine", recording=SimpleNamespace(seconds=lambda: 30.0))
    image = played_image()
    object.__setattr__(image, "perm", perm)
    watch = StartWatch(console, image, HEARD, board("virt").budget)
    boots.extend(asked(reboots))
    if red:
        with pytest.raises(
            RebootLoop, match=f"asked for a reboot {reboots} times(?s:.*)to do: leave programs out"
        ):
            watch.check()
    else:
        watch.check()


def test_one_that_has_answered_and_formats_perm_for_long_is_not_called_mute() -> None:
    boots: list[Boot] = []
    console: Any = SimpleNamespace(boots=boots, name="mine", excerpt=lambda _: "", recording=None)
    console.recording = SimpleNamespace(seconds=lambda: 500.0)
    watch = StartWatch(console, played_image(), HEARD, board("virt").budget)
    boots.append(Boot(1, Cause.POWER_ON, 0.0, at={Phase.HTTP: 10.0}, http=("10.0.2.15:80",)))
    object.__setattr__(watch._image, "perm", "mkfs")
    with pytest.raises(DeviceUnreachable) as caught:
        watch.check()
    assert caught.value.overdue
    watch.has_answered()
    watch.check()


def test_a_reboot_is_watched_as_a_start_is_but_for_how_long_it_takes_to_go() -> None:
    boots = [FIRST]
    console: Any = SimpleNamespace(boots=boots, name="mine", excerpt=lambda _: "")
    now = 500.0
    console.recording = SimpleNamespace(seconds=lambda: now)
    watch = StartWatch(console, image(), HEARD, BUDGET).of_reboot(1)
    watch.check()
    again = Boot(2, Cause.KEXEC, 490.0, asked=True, at={Phase.KERNEL: 491.0, Phase.UPDATER: 495.0})
    boots.append(again)
    watch.check()
    now = 496.0 + BUDGET.network
    with pytest.raises(BootFailure, match="nothing asked for one: gokrazy's DHCP client"):
        watch.check()
    # The reboot that was asked for is none of the program's own.
    boots.extend(Boot(number, Cause.RESET, 500.0, asked=True) for number in (3, 4, 5))
    watch.check()
    boots.append(Boot(6, Cause.RESET, 500.0, asked=True))
    with pytest.raises(RebootLoop, match="asked for a reboot 4 times"):
        watch.check()
