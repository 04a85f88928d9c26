"""The options about a real device: how each is written, and what does not go together."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.appliance.device_options import At
from harness.appliance.real_power import Switch
from harness.console.serial_line import SerialPort
from harness.errors import OptionError
from harness.options import OF_MACHINES, OPTIONS, settings_from

HERE = {"gk_device": "http://pi"}


@pytest.mark.parametrize(
    ("typed", "at", "said"),
    [
        ("http://pi", At("pi", 80), "http://pi:80"),
        ("http://192.168.1.20:8080/", At("192.168.1.20", 8080), "http://192.168.1.20:8080"),
        ("https://pi", At("pi", 443, "https"), "https://pi:443"),
        ("http://[fe80::1]:81", At("fe80::1", 81), "http://[fe80::1]:81"),
    ],
)
def test_an_address_as_people_write_it(typed: str, at: At, said: str) -> None:
    assert settings_from({"gk_device": typed}).device == at
    assert str(at) == said


@pytest.mark.parametrize("typed", ["pi", "ftp://pi", "http://", "http://pi:99999", "http://pi:0", "http://pi/x"])
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(OptionError, match="is not the address of a device"):
        settings_from({"gk_device": typed})


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(OptionError, match="a password does not belong into an address") as caught:
        settings_from({"gk_device": "http://gokrazy:geheim@pi"})
    assert "geheim" not in str(caught.value)
    assert "--gk-password-file" in caught.value.hint


def test_how_it_is_wired_and_what_may_be_done() -> None:
    settings = settings_from(
        {
            **HERE,
            "gk_device_serial": "/dev/ttyUSB0@9600",
            "gk_device_ssh": "other:2222",
            "gk_device_power": "plug -a",
            "gk_device_may": ["power,reboot", "shell"],
        }
    )
    assert settings.device_serial == SerialPort(Path("/dev/ttyUSB0"), 9600)
    assert settings.device_ssh == At("other", 2222, "ssh")
    assert settings.device_power == Switch("plug -a")
    assert settings.device_may == {"power", "reboot", "shell"}
    assert not settings.is_own


OTHERS = [option for option in OPTIONS if option.name.startswith("device-")]


@pytest.mark.parametrize("option", OTHERS, ids=lambda option: option.name)
def test_without_a_device_there_is_nothing_to_wire(option: object) -> None:
    assert option in OTHERS
    said = {"device-may": ["shell"]}.get(getattr(option, "name", ""), "x")
    with pytest.raises(OptionError, match="no device is named"):
        settings_from({getattr(option, "ini", ""): said})


def test_to_allow_what_nothing_can_do_is_refused() -> None:
    with pytest.raises(OptionError, match="nothing switches it"):
        settings_from({**HERE, "gk_device_may": ["power"]})


@pytest.mark.parametrize(
    ("ini", "said"),
    [
        ("gk_board", ["virt,pc-bios"]),
        ("gk_instance", "/x"),
        ("gk_kernel", "m@v1"),
        ("gk_serial", True),
        ("gk_memory", "512"),
        ("gk_warm", "off"),
        ("gk_pause", True),
        ("gk_bundle", "all"),
        ("gk_from", "/x"),
    ],
)
def test_what_is_for_machines_is_refused_by_its_flag(ini: str, said: object) -> None:
    flag = next(one.flag for one in OPTIONS if one.ini == ini)
    with pytest.raises(OptionError, match=f"{flag}: this is for machines") as caught:
        settings_from({**HERE, ini: said})
    assert "leave it out" in caught.value.hint


def test_every_name_among_those_is_a_field() -> None:
    assert {option.field for option in OPTIONS} >= OF_MACHINES
    settings_from({**HERE, "gk_pause": False, "gk_tier": "all", "gk_repeat": "2"})
