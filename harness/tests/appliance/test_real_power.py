"""RealPower: the user's command switches the device, where that is allowed; a machine's verbs are refused."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.appliance.console_link import ConsoleLink
from harness.appliance.real_power import RealPower, Switch, Wiring
from harness.appliance.time_line import TimeLine
from harness.appliance.witness import Witness
from harness.boards import board
from harness.console.console import Console
from harness.errors import DeviceUnreachable, HostFault, NotOnDevice, OptionError
from harness.gokrazy.may import May


def writes(folder: Path, *words: str) -> Switch:
    """A command that writes down the words that it gets."""
    code = f"import sys; open({str(folder / 'said')!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')"
    return Switch(shlex.join([sys.executable, "-c", code, *words]))


def power(folder: Path, switch: Switch | None, *kinds: str, check: Callable[[], None] = lambda: None) -> RealPower:
    console = Console(folder, name="mine")
    link = ConsoleLink(console, Witness(TimeLine()))
    return RealPower(board("virt"), Wiring(None, switch, May(frozenset(kinds))), link, check)


@pytest.mark.parametrize(
    ("words", "said"),
    [((), "on"), (("-a",), "-a on"), (("Power%20{}", "x"), "Power%20on x"), (("{} {}",), "on on")],
)
def test_the_command_gets_the_word_last_or_where_it_is_wanted(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    writes(tmp_path, *words).turn("on")
    assert (tmp_path / "said").read_text() == f"{said}\n"


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    writes(tmp_path, "$HOME; exit 3").turn("off")
    assert (tmp_path / "said").read_text() == "$HOME; exit 3 off\n"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (f"{sys.executable} -c 'import sys; sys.exit(\"no such port\")'", "ended with status 1"),
        ("/nowhere/switch", "/nowhere/switch cannot be run: No such file"),
    ],
)
def test_a_command_that_fails_is_a_fault_of_this_host(command: str, why: str) -> None:
    with pytest.raises(HostFault, match="the device was not switched off") as caught:
        Switch(command).turn("off")
    assert why in caught.value.what
    assert "by hand with the word off" in caught.value.hint
    assert ("no such port" in caught.value.evidence) == ("status" in why)


@pytest.mark.parametrize("command", ["", "  ", "plug 'on"])
def test_a_command_that_cannot_be_read_is_refused(command: str) -> None:
    with pytest.raises(OptionError, match="the command"):
        Switch(command)


def test_it_is_switched_only_where_that_is_allowed(tmp_path: Path) -> None:
    refused = power(tmp_path / "a", writes(tmp_path), "reboot")
    for act in (refused.off, refused.on, refused.cycle):
        with pytest.raises(NotOnDevice, match="--gk-device-may power"):
            act()
    assert not (tmp_path / "said").exists()
    assert refused.is_on
    with pytest.raises(NotOnDevice, match="--gk-device-power"):
        power(tmp_path / "b", None, "power").off()
    allowed = power(tmp_path / "c", writes(tmp_path), "power")
    states = [allowed.is_on]
    for act in (allowed.off, allowed.on):
        act()
        states.append(allowed.is_on)
    assert states == [True, False, True]
    assert (tmp_path / "said").read_text() == "off\non\n"
    assert [one.cause for one in allowed.power_ons] == ["power-on"]


def test_what_only_a_machine_has_is_refused_and_says_so(tmp_path: Path) -> None:
    real: Any = power(tmp_path, None, "power")
    acts: list[Callable[[], object]] = [
        lambda: real.overlay,
        lambda: real.machine,
        lambda: real.spec,
        lambda: real.reset(),
        lambda: real.checkpoint(tmp_path),
        lambda: real.keep(tmp_path, base=tmp_path),
        lambda: real.wait_off(1),
    ]
    for act in acts:
        with pytest.raises(NotOnDevice, match="needs emulation"):
            act()
    assert not hasattr(real, "__len__")
    assert (real.accelerator, real.in_many_threads, real.shortage()) == ("none", False, None)


def test_the_look_at_the_end_of_a_test_is_for_a_device_that_is_on(tmp_path: Path) -> None:
    def check() -> None:
        raise DeviceUnreachable("it is silent")

    real = power(tmp_path, writes(tmp_path), "power", check=check)
    with pytest.raises(DeviceUnreachable):
        real.check_unseen()
    real.off()
    real.check_unseen()


def test_one_that_may_be_off_is_not_taken_for_on(tmp_path: Path) -> None:
    wiring = Wiring(None, Switch("false"), May(frozenset({"power"})))
    link = ConsoleLink(Console(tmp_path, name="mine"), Witness(TimeLine()))
    real = RealPower(board("virt"), wiring, link, lambda: None)
    with pytest.raises(HostFault):
        real.off()
    # Another test has another RealPower, and the same wiring.
    assert wiring.is_off
    assert not real.is_on
