"""An appliance of which nothing is real but its own code."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness.appliance.appliance import Appliance
from harness.appliance.assembly import Assembly
from harness.boards import board
from harness.errors import QemuFailed
from harness.firmware.voice import Voice
from harness.image.model import Image
from harness.machine.equipment import Equipment
from harness.machine.ports import Port
from harness.machine.power import Power
from harness.tests.machine.specs import NO_QEMU, spec_of

REACHED = Equipment(forwards=(Port(80), Port(443), Port(53, "udp")))

HEARD = Voice("ttyAMA0", kernel=True, init=True)


NOWHERE: Any = SimpleNamespace(boot=None)
"""The layout of no disk."""


def no_disk(extent: object) -> object:
    """What reads a disk that is not there."""
    raise QemuFailed("there is no disk")


def played_image() -> Image:
    made = Image.__new__(Image)
    known: dict[str, Any] = {"hostname": "hello", "http_port": 80, "https_port": 443, "services": ()}
    for name, value in {**known, "breakglass": None, "password": "pw", "perm": "blank", "layout": NOWHERE}.items():
        object.__setattr__(made, name, value)
    return made


def appliance(tmp_path: Path, name: str, *, no_quirks: bool, voice: Voice = HEARD) -> Appliance:
    nothing: Any = SimpleNamespace(path=tmp_path / "disk" / "disk.qcow2", attached=None, source=no_disk)
    spec = spec_of(name, qemu=NO_QEMU, equipment=REACHED, quirks=not no_quirks)
    made = Assembly(
        board=spec.board,
        equipment=spec.equipment,
        power=lambda link: Power(
            spec, nothing, nothing, nothing, on_console=link.on_console, listener=link.listener
        ),
        image=played_image(),
        budget=board(name).budget,
        disks=tmp_path / "disk",
        folder=tmp_path,
        quirks=spec.quirks,
        files_of=nothing,
        voice_of=lambda image: voice,
    )
    return Appliance(made)
