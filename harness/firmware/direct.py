"""The harness as boot loader: QEMU starts with the kernel and the command line of the boot partition."""

from __future__ import annotations

from pathlib import Path

from harness.firmware.boot_partition import boot_partition, write_anew
from harness.firmware.command_line import SERIAL0, with_serial0, without_rootdelay
from harness.firmware.stage import Disk, Loaded
from harness.image.arch import Arch
from harness.image.model import Extent

KERNEL = "vmlinuz"
CMDLINE = "cmdline.txt"


class DirectStage:
    """Reads ``vmlinuz`` and ``cmdline.txt`` from the boot partition before every start, so a flip takes effect.

    The image stays as it is. Only the command line for QEMU changes: ``fast_boot`` drops its rootdelay, and
    ``serial0`` is the port that replaces this name, "" for none. A kernel for another architecture than ``arch``
    is refused: QEMU would start it, and it would be silent.
    """

    def __init__(
        self, boot: Extent, folder: Path, *, fast_boot: bool = False, serial0: str = "", arch: Arch | None = None
    ) -> None:
        self._boot = boot
        self._folder = folder
        self._fast_boot = fast_boot
        self._serial0 = serial0
        self._arch = arch

    def prepare(self, disk: Disk) -> Loaded:
        """Read the boot partition; raises FirmwareFailure when it has nothing to start."""
        with boot_partition(disk, self._boot) as files:
            kernel = files.kernel(KERNEL, arch=self._arch)
            line = files.command_line(CMDLINE)
        append, dropped = without_rootdelay(line) if self._fast_boot else (line, ())
        notes = ("no boot loader is tested: the harness starts the kernel of the boot partition", *dropped)
        if self._serial0 and append != (line := with_serial0(append, self._serial0)):
            append, notes = line, (*notes, f"{SERIAL0} on the command line is {self._serial0} here, as on a Pi")
        return Loaded(kernel=write_anew(self._folder / KERNEL, kernel), append=append, notes=notes)

    def keep(self, loaded: Loaded, folder: Path) -> Loaded:  # noqa: ARG002
        """Keep the notes only: a snapshot has the kernel in its memory, and a reset ends QEMU.

        Loading the kernel again would make a restore 0.2 s slower.
        """
        return Loaded(notes=loaded.notes)

    def adopt(self, kept: Loaded) -> Loaded:
        """There is nothing to take over."""
        return kept
