"""SeaBIOS: it is part of QEMU, starts the boot sector of the image, and keeps no state."""

from __future__ import annotations

from pathlib import Path

from harness.errors import FirmwareFailure
from harness.firmware.stage import Disk, Loaded
from harness.image.boot_sector import CODE_BYTES, fit_on, kernel_sector, most_loaded, names_a_kernel
from harness.image.model import SECTOR, Extent
from harness.image.source import ByteSource


class BiosStage:
    """Nothing to prepare: SeaBIOS comes with QEMU. ``boot`` is the boot partition of a gokrazy disk."""

    def __init__(self, boot: Extent | None = None) -> None:
        self._boot = boot

    def prepare(self, disk: Disk) -> Loaded:
        """Load nothing; raises FirmwareFailure for a boot sector that starts nothing, and says why.

        The machine itself would only be silent: a kernel that is too large overwrites the BIOS while it is loaded.
        """
        if self._boot is not None:
            source = disk.source(Extent(0, self._boot.offset + self._boot.size))
            self._must_start_a_kernel(source)
            fit = fit_on(source)
            if fit is not None and not fit.fits:
                raise FirmwareFailure(
                    f"the boot sector cannot load this kernel: {fit.sizes}",
                    where="sector 0 of the disk",
                    hint="build with a gok from after 2024-08-27, whose boot sector loads larger kernels",
                )
        return Loaded()

    def _must_start_a_kernel(self, source: ByteSource) -> None:
        """Raise FirmwareFailure for gokrazy's boot sector without its code, or with the place of no kernel.

        Of code that is unknown here, and of a disk that is not gokrazy's, nothing is expected.
        """
        sector = source.read_at(0, SECTOR)
        if sector[510:] != b"\x55\xaa":
            return
        if not sector[:CODE_BYTES].strip(b"\0"):
            raise FirmwareFailure(
                "the boot sector has no code, so a PC with BIOS starts nothing",
                where="sector 0 of the disk",
                hint="write the MBR again, as an update does; UEFI starts without it (--gk-board pc-uefi)",
            )
        if most_loaded(sector) is not None and not names_a_kernel(source):
            raise FirmwareFailure(
                f"the boot sector loads its kernel from sector {kernel_sector(sector)}, where none begins",
                where="sector 0 of the disk",
                hint="vmlinuz was moved in the boot partition: write boot file system and MBR of the same build",
            )

    def keep(self, loaded: Loaded, folder: Path) -> Loaded:  # noqa: ARG002
        """There is nothing to keep."""
        return loaded

    def adopt(self, kept: Loaded) -> Loaded:
        """There is nothing to take over."""
        return kept
