"""What every part of an appliance stands on: its name in errors, its web interface, its ports."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.boards import board
from harness.errors import OptionError, WaitTimeout
from harness.firmware.voice import Voice
from harness.machine.ports import Port
from harness.tests.appliance.played import HEARD, appliance, played_image


@pytest.mark.parametrize(
    ("name", "no_quirks", "title"),
    [
        ("raspi4b", True, "hello on raspi4b with --gk-no-quirks"),
        ("raspi4b", False, "hello on raspi4b"),
        ("raspi-virt", True, "hello on raspi-virt"),
        ("virt", True, "hello on virt"),
    ],
)
def test_what_the_console_is_blamed_for_says_that_the_quirks_are_off(
    tmp_path: Path, name: str, no_quirks: bool, title: str
) -> None:
    subject = appliance(tmp_path, name, no_quirks=no_quirks)
    with pytest.raises(WaitTimeout) as caught:
        subject.console.wait_for_phase("kernel", timeout=0.0)
    subject.console.close()
    assert caught.value.where == title


def test_somebody_with_another_password_speaks_tls_where_the_device_does(tmp_path: Path) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    subject.power.ports = {Port(80): 1, Port(443): 2}
    assert subject.device_with_password("x").url == "http://127.0.0.1:1"
    subject.device.over_tls()
    assert subject.device_with_password("x").url == "https://127.0.0.1:2"
    subject.console.close()


def test_a_slow_board_has_longer_for_each_answer(tmp_path: Path) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    subject.console.close()
    subject.power.ports = {Port(80): 1, Port(443): 2}
    assert subject.device.endpoint.patience == subject.budget.answer
    subject.budget = subject.budget.scaled(3)
    assert subject.device_with_password("x").endpoint.patience == 3 * board("virt").budget.answer


def test_a_port_is_that_of_this_host_which_leads_to_the_appliance_s(tmp_path: Path) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    subject.console.close()
    subject.power.ports = {Port(80): 1, Port(443): 2, Port(53, "udp"): 3}
    assert (subject.port(80), subject.port("443/tcp"), subject.port("53/udp")) == (1, 2, 3)
    assert subject.url(443, "/x", scheme="https") == "https://127.0.0.1:2/x"


def test_a_port_that_is_not_forwarded_names_the_option(tmp_path: Path) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    subject.console.close()
    with pytest.raises(OptionError, match="53/tcp of the appliance is not forwarded") as caught:
        subject.port(53)
    assert caught.value.hint == "give --gk-forward 53/tcp (ini: gk_forward); forwarded: 80/tcp, 443/tcp, 53/udp"
    with pytest.raises(OptionError, match="not a port"):
        subject.url("http")
    with pytest.raises(OptionError, match="was not switched on"):
        subject.port("53/udp")


def test_the_next_image_s_console_and_password_are_those_that_count_after_an_update(tmp_path: Path) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    other = played_image()
    object.__setattr__(other, "password", None)
    silent = Voice("ttyAMA0", kernel=False, init=False, why="its serial console is serial0")
    subject._voice_of = lambda image: silent if image is other else HEARD
    assert subject.can("console")
    subject._now_runs(other)
    assert not subject.can("console")
    assert not subject.can("http")
    assert "serial0" in subject.console.timed_out("x", 1.0).what
    subject.console.close()
