"""RealTarget: what is known of a device, and what an update to it must fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.appliance.device_options import At
from harness.appliance.real_power import Wiring
from harness.appliance.real_target import RealTarget, image_of
from harness.boards import board
from harness.console.serial_line import SerialPort
from harness.gokrazy.may import May
from harness.gokrazy.status import parse_status
from harness.image.model import Image

PAGE = (Path(__file__).parents[1] / "gokrazy/data/status.json").read_text()
ID = "60c24cc1-f3f9-427a-8199-386f27b50001"
OTHER = "11111111-f3f9-427a-8199-386f27b50001"


def image(**fields: Any) -> Image:
    return replace(image_of(parse_status(PAGE, "here"), At("pi", 81), "pw"), **fields)


def target(running: Image, *, known: bool = True, serial: bool = True) -> RealTarget:
    port = SerialPort(Path("/dev/ttyUSB0")) if serial else None
    return RealTarget(
        board("virt"), running, known, At("pi", 81), None, Wiring(port, None, May()), key=None, no_key=""
    )


@pytest.mark.parametrize(
    ("runs", "comes", "why"),
    [
        (f"root=PARTUUID={ID}/PARTNROFF=1 ro", f"root=PARTUUID={ID.upper()}/PARTNROFF=2", ""),
        ("root=PARTUUID=60c24cc1-02 ro", "root=PARTUUID=60c24cc1-03", ""),
        (f"root=PARTUUID={ID}/PARTNROFF=1", f"root=PARTUUID={OTHER}/PARTNROFF=1", f"the id {OTHER}"),
        ("root=PARTUUID=60c24cc1-02", "root=PARTUUID=60c24cc2-02", "the device's disk has 60c24cc1"),
        ("root=PARTUUID=60c24cc1-02", "root=/dev/mmcblk0p2", "the id ?"),
    ],
)
def test_an_update_must_find_its_root_on_the_device_s_disk(runs: str, comes: str, why: str) -> None:
    said = target(image(cmdline=runs)).misfit(image(cmdline=comes))
    assert (why in said) if why else said == ""


def test_an_update_must_be_for_the_device_s_processor() -> None:
    assert "built for amd64" in target(image()).misfit(image(arch="amd64"))


def test_who_is_heard_is_known_by_the_image_and_only_where_there_is_a_line() -> None:
    heard = image(cmdline="console=tty1 console=serial0,115200")
    assert target(heard).voice(heard).init
    assert target(heard).voice(heard).kernel
    assert "--gk-device-serial" in target(heard, serial=False).voice(heard).why
    assert "--gk-image" in target(heard, known=False).voice(heard).why


def test_what_a_device_says_of_itself() -> None:
    known = image()
    assert (known.arch, known.hostname, known.perm, known.http_port, known.password) == (
        "arm64",
        "arm",
        "other",
        81,
        "pw",
    )
    assert known.has_serial_shell
    assert [one.path for one in known.services][:2] == ["/gokrazy/dhcp", "/gokrazy/ntp"]
    unmounted = parse_status(PAGE.replace('"PermAvail": 81486848', '"PermAvail": 0'), "here")
    assert image_of(unmounted, At("pi", 80), None).perm == "blank"
