"""The board decides which firmware stage a machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.boards import board
from harness.firmware.bios import BiosStage
from harness.firmware.choice import stage_for
from harness.firmware.direct import DirectStage
from harness.firmware.raspberry.videocore import RaspberryStage
from harness.image.model import Extent, Layout


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("virt", DirectStage),
        ("raspi-virt", DirectStage),
        ("pc-bios", BiosStage),
        ("raspi3b", RaspberryStage),
        ("raspi4b", RaspberryStage),
    ],
)
def test_the_board_decides_the_stage(tmp_path: Path, name: str, stage: type) -> None:
    layout = Layout(Extent(0, 512), Extent(0, 0), Extent(0, 0), None)
    assert type(stage_for(board(name), layout, tmp_path)) is stage
