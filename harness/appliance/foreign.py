"""Whether what a disk starts next is for another architecture than its board: read from the disk itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

from harness.appliance.why import Why
from harness.boards import Board
from harness.console.slot import slot_of
from harness.errors import HarnessError
from harness.firmware.boot_partition import FOREIGN
from harness.image.arch import known
from harness.image.fat_volume import FatVolume
from harness.image.gobinary import architecture
from harness.image.kernel_file import kernel_arch
from harness.image.model import Layout
from harness.image.squashfs import SquashFs
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.machine import Machine

KERNEL, CMDLINE, INIT = "vmlinuz", "cmdline.txt", "/gokrazy/init"


def why_foreign(disk: DiskOverlay, layout: Layout, board: Board) -> Why | None:
    """What of it is foreign, None where nothing is, or where it cannot be read; the machine is off."""
    try:
        volume = FatVolume.open(disk.source(layout.boot))
        kernel = known(kernel_arch(volume.read(KERNEL)[:1024]))
        if kernel not in (None, board.arch):
            return Why(
                f"the kernel in the boot partition is for {kernel}, and {board.name} is {board.arch}", FOREIGN
            )
        slot = slot_of(volume.read(CMDLINE).decode(errors="replace"))
        if slot is None:
            return None
        with tempfile.TemporaryDirectory(prefix="gokrazy-root-", dir=disk.path.parent) as folder:
            place = layout.root_a if slot == "A" else layout.root_b
            init = known(architecture(SquashFs(disk.extract(place, Path(folder) / "root")).read(INIT)))
    except HarnessError:
        return None
    if init in (None, board.arch):
        return None
    return Why(
        f"{INIT} in slot {slot}, which starts next, is for {init}, and {board.name} is {board.arch}", FOREIGN
    )


def as_it_is(disk: DiskOverlay, machine: Machine, folder: Path) -> DiskOverlay:
    """A copy of the disk of a machine that may run: its processors stand still for that long."""
    if disk.attached is None:
        return disk
    ran = machine.execute("query-status")["status"] == "running"
    if ran:
        machine.pause()
    try:
        return disk.copied(folder)
    finally:
        if ran:
            machine.resume()
