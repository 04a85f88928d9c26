"""What a lab gives its machines beyond their boards, what it reserves for them, and when it starts them cold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.boards import board
from harness.lab.equipment import own_ports
from harness.lab.lab import Lab
from harness.machine.accelerator import TCG
from harness.machine.extra_disk import ExtraDisk
from harness.machine.ports import Port
from harness.options import Settings
from harness.package_data import images_folder
from harness.tests.lab.test_lab import IMAGE, PlayedLab


class Starts(Exception):
    """An appliance is about to be made: ``booted`` is what it goes on from, None for a cold start."""

    def __init__(self, booted: object) -> None:
        self.booted = booted


@pytest.fixture
def reserved(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Memory and processors that were reserved."""
    asked: list[tuple[int, int]] = []

    @contextmanager
    def reserve(memory: int, cpus: int) -> Iterator[None]:
        asked.append((memory, cpus))
        yield

    monkeypatch.setattr(PlayedLab, "room", property(lambda _: SimpleNamespace(reserve=reserve)))
    monkeypatch.setattr(Lab, "accelerator", lambda *_: TCG)
    return asked


@contextmanager
def lab(folder: Path, **given: Any) -> Iterator[PlayedLab]:
    with PlayedLab(Settings(cache=folder / "cache", artifacts=folder, instance="mine", **given)) as made:
        made.asked = []
        yield made


def test_room_is_reserved_by_what_the_machine_gets(tmp_path: Path, reserved: list[tuple[int, int]]) -> None:
    with lab(tmp_path, memory=1024, cpus=4) as made:
        for name in ("virt", "raspi4b"):
            with made.appliance(board(name), IMAGE, name=name, running=False):
                assert (made.fitted.memory, made.fitted.cpus) == reserved[-1]
    assert reserved == [(1024, 4), (2048, 4)]


def test_the_images_own_ports_come_before_those_that_were_asked_for(
    tmp_path: Path, reserved: list[tuple[int, int]]
) -> None:
    with lab(tmp_path, forward=(Port(53, "udp"), Port(80))) as made:
        with made.appliance(board("virt"), IMAGE, name="t", running=False, network="open"):
            pass
        assert made.fitted.forwards == (Port(80), Port(443), Port(53, "udp"))
        assert made.fitted.network == "open"


def test_the_projects_own_images_say_what_their_programs_listen_on(
    tmp_path: Path, reserved: list[tuple[int, int]]
) -> None:
    with PlayedLab(Settings(cache=tmp_path, artifacts=tmp_path)) as made:
        made.asked = []
        with made.appliance(board("virt"), IMAGE, name="t", running=False):
            pass
        assert made.fitted.forwards == (Port(80), Port(443), *own_ports())


def test_the_port_that_is_listed_for_them_is_the_one_that_hello_listens_on() -> None:
    (port,) = own_ports()
    source = (images_folder() / "programs/cmd/hello/main.go").read_text("utf-8")
    assert f'address     = ":{port.number}"' in source


@pytest.mark.parametrize(
    ("given", "warm"),
    [
        ({}, True),
        ({"memory": 1024, "disk": (ExtraDisk(size=1 << 20),)}, True),
        ({"qemu_arg": ("-d", "int")}, False),
    ],
)
def test_only_arguments_whose_state_nobody_knows_make_every_start_cold(
    tmp_path: Path,
    reserved: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, Any],
    warm: bool,
) -> None:
    def make(*given: Any) -> None:
        raise Starts(given[4])

    monkeypatch.setattr(Lab, "booted", lambda *_: "a machine that was booted before")
    monkeypatch.setattr(PlayedLab, "_make", make)
    with lab(tmp_path, **given) as made:
        wanted = made.appliance(board("virt"), IMAGE, name="t")
        with pytest.raises(Starts) as caught, wanted:
            pass
    assert (caught.value.booted is not None) is warm
