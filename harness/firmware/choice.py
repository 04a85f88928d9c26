"""Which firmware stage a board has."""

from __future__ import annotations

from pathlib import Path

from harness.boards import Board, Boot
from harness.firmware.bios import BiosStage
from harness.firmware.direct import DirectStage
from harness.firmware.raspberry.models import model
from harness.firmware.raspberry.videocore import RaspberryStage
from harness.firmware.stage import Stage
from harness.firmware.uefi import UefiStage
from harness.image.model import Layout


def stage_for(
    board: Board, layout: Layout, folder: Path, *, fast_boot: bool = False, quirks: bool = True
) -> Stage:
    """The firmware stage of ``board``, with ``folder`` for its files.

    ``fast_boot`` drops the kernel's wait for slow disks where the harness gives the command line; ``quirks`` lets
    the device tree of a Raspberry Pi be made to fit QEMU's boards. Raises FirmwareFileMissing.
    """
    if board.boot is Boot.BIOS:
        return BiosStage(layout.boot)
    if board.boot is Boot.UEFI:
        return UefiStage(board.arch, folder)
    if board.boot is Boot.RASPBERRY:
        return RaspberryStage(layout.boot, folder, model(board.model), fast_boot=fast_boot, quirks=quirks)
    serial0 = board.console if board.has_serial0 else ""
    return DirectStage(layout.boot, folder, fast_boot=fast_boot, serial0=serial0, arch=board.arch)
