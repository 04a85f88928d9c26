"""SeaBIOS: it is part of QEMU, starts the boot sector of the image, and keeps no state."""

from __future__ import annotations

from pathlib import Path

from harness.errors import FirmwareFailure
from harness.firmware.stage import Disk, Loaded
from harness.image.boot_sector import fit_on
from harness.image.model import Extent


class BiosStage:
    """Nothing to prepare: SeaBIOS comes with QEMU. ``boot`` is the boot partition of a gokrazy disk."""

    def __init__(self, boot: Extent | None = None) -> None:
        self._boot = boot

    def prepare(self, disk: Disk) -> Loaded:
        """Load nothing; raises FirmwareFailure for a kernel that the boot sector cannot load.

        Such a kernel would overwrite the BIOS while it is loaded, and the machine would only be silent.
        """
        if self._boot is not None:
            fit = fit_on(disk.source(Extent(0, self._boot.offset + self._boot.size)))
            if fit is not None and not fit.fits:
                raise FirmwareFailure(
                    f"the boot sector cannot load this kernel: {fit.sizes}",
                    where="sector 0 of the disk",
                    hint="build with a gok from after 2024-08-27, whose boot sector loads larger kernels",
                )
        return Loaded()

    def keep(self, loaded: Loaded, folder: Path) -> Loaded:  # noqa: ARG002
        """There is nothing to keep."""
        return loaded

    def adopt(self, kept: Loaded) -> Loaded:
        """There is nothing to take over."""
        return kept
