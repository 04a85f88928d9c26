"""What a lab gives its machines beyond their boards, what it reserves for them, and when it starts them cold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.machine.extra_disk import ExtraDisk
from harness.machine.ports import Port
from harness.options import Settings
from harness.tests.lab.played import PlayedLab, PlayedStarts, wanted


class Starting(Exception):
    """An appliance is about to be made: ``disks`` are what it goes on from, none for a cold start."""

    def __init__(self, disks: object) -> None:
        self.disks = disks


@pytest.fixture
def reserved(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Memory and processors that were reserved."""
    asked: list[tuple[int, int]] = []

    @contextmanager
    def reserve(memory: int, cpus: int) -> Iterator[None]:
        asked.append((memory, cpus))
        yield

    make = PlayedLab.__init__

    def init(lab: PlayedLab, *given: Any, **named: Any) -> None:
        make(lab, *given, **named)
        lab.played.room = SimpleNamespace(reserve=reserve)

    monkeypatch.setattr(PlayedLab, "__init__", init)
    return asked


@contextmanager
def lab(folder: Path, **given: Any) -> Iterator[PlayedLab]:
    with PlayedLab(Settings(cache=folder / "cache", artifacts=folder, instance="mine", **given)) as made:
        yield made


def test_room_is_reserved_by_what_the_machine_gets(tmp_path: Path, reserved: list[tuple[int, int]]) -> None:
    with lab(tmp_path, memory=1024, cpus=4) as made:
        for name in ("virt", "raspi4b"):
            with made.appliance(wanted(name, name, running=False)):
                assert (made.played.specs[-1].equipment.memory, made.played.specs[-1].equipment.cpus) == reserved[
                    -1
                ]
    assert reserved == [(1024, 4), (2048, 4)]


def test_the_images_own_ports_come_before_those_that_were_asked_for(
    tmp_path: Path, reserved: list[tuple[int, int]]
) -> None:
    with lab(tmp_path, forward=(Port(53, "udp"), Port(80))) as made:
        with made.appliance(wanted("t", running=False, network="open")):
            pass
        assert made.played.specs[-1].equipment.forwards == (Port(80), Port(443), Port(53, "udp"))
        assert made.played.specs[-1].equipment.network == "open"


def test_the_projects_own_images_say_what_their_programs_listen_on(
    tmp_path: Path, reserved: list[tuple[int, int]]
) -> None:
    with PlayedLab(Settings(cache=tmp_path, artifacts=tmp_path)) as made:
        with made.appliance(wanted("t", running=False)):
            pass
        assert made.played.specs[-1].equipment.forwards == (Port(80), Port(443), Port(8080), Port(8081))


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
    def assemble(*given: Any) -> None:
        raise Starting(given[-1])

    booted = SimpleNamespace(snapshot=SimpleNamespace(disks=("that of a machine that was booted before",)))
    monkeypatch.setattr(PlayedStarts, "snapshot", lambda *_: booted)
    monkeypatch.setattr(PlayedStarts, "_assemble", assemble)
    with lab(tmp_path, **given) as made, pytest.raises(Starting) as caught, made.appliance(wanted("t")):
        pass
    assert caught.value.disks == (booted.snapshot.disks if warm else ())
