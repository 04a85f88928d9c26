from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.appliance import Appliance
from harness.boards import board
from harness.errors import WaitTimeout
from harness.image.model import Image
from harness.machine.accelerator import TCG


def played_image() -> Image:
    made = Image.__new__(Image)
    known: dict[str, Any] = {"hostname": "hello", "http_port": 80, "https_port": 443, "services": ()}
    for name, value in {**known, "breakglass": None, "password": None}.items():
        object.__setattr__(made, name, value)
    return made


def appliance(tmp_path: Path, name: str, *, no_quirks: bool) -> Appliance:
    nothing: Any = SimpleNamespace(path=tmp_path / "disk" / "disk.qcow2")
    return Appliance(
        image=played_image(),
        board=board(name),
        budget=board(name).budget,
        overlay=nothing,
        stage=nothing,
        run_dir=nothing,
        accelerator=TCG,
        qemu=nothing,
        network="restricted",
        folder=tmp_path,
        key=None,
        files_of=nothing,
        no_quirks=no_quirks,
    )


@pytest.mark.parametrize(
    ("name", "no_quirks", "told"),
    [
        ("raspi4b", True, "hello on raspi4b with --gk-no-quirks"),
        ("raspi4b", False, "hello on raspi4b"),
        ("raspi-virt", True, "hello on raspi-virt"),
        ("virt", True, "hello on virt"),
    ],
)
def test_what_the_console_is_blamed_for_says_that_the_quirks_are_off(
    tmp_path: Path, name: str, no_quirks: bool, told: str
) -> None:
    subject = appliance(tmp_path, name, no_quirks=no_quirks)
    with pytest.raises(WaitTimeout) as caught:
        subject.console.wait_for_phase("kernel", timeout=0.0)
    subject.console.close()
    assert caught.value.where == told
