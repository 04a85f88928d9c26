"""The harness as boot loader: what the image's boot partition says at this moment is what QEMU is started with."""

from __future__ import annotations

from pathlib import Path

from harness.firmware.boot_partition import boot_partition, write_anew
from harness.firmware.command_line import SERIAL0, with_serial0, without_rootdelay
from harness.firmware.stage import Disk, Loaded
from harness.image.model import Extent

KERNEL = "vmlinuz"
CMDLINE = "cmdline.txt"


class DirectStage:
    """Reads ``vmlinuz`` and ``cmdline.txt`` from the boot partition before every start, so that a flip shows.

    It changes nothing of the image: ``fast_boot`` and ``serial0``, the port that this name stands for, edit the
    command line on its way to QEMU only.
    """

    def __init__(self, boot: Extent, folder: Path, *, fast_boot: bool = False, serial0: str = "") -> None:
        self._boot = boot
        self._folder = folder
        self._fast_boot = fast_boot
        self._serial0 = serial0

    def prepare(self, disk: Disk) -> Loaded:
        """Read the boot partition; raises FirmwareFailure when it has nothing that could be started."""
        with boot_partition(disk, self._boot) as files:
            kernel = files.kernel(KERNEL)
            line = files.command_line(CMDLINE)
        append, told = without_rootdelay(line) if self._fast_boot else (line, ())
        if self._serial0 and append != (line := with_serial0(append, self._serial0)):
            append, told = line, (*told, f"{SERIAL0} on the command line is {self._serial0} here, as on a Pi")
        notes = ("no boot loader is tested: the harness starts the kernel of the boot partition", *told)
        return Loaded(kernel=write_anew(self._folder / KERNEL, kernel), append=append, notes=notes)

    def keep(self, loaded: Loaded, folder: Path) -> Loaded:  # noqa: ARG002
        """There is nothing to keep: a captured machine has its kernel in its memory, and its reset is QEMU's end.

        Giving QEMU the kernel once more to load costs a restore 0.2 s.
        """
        return Loaded(notes=loaded.notes)

    def adopt(self, kept: Loaded) -> Loaded:
        """There is nothing to take over."""
        return kept
