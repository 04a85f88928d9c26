"""edk2 in QEMU's flash chips: shared read-only code, and a private copy of the variables for each machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.errors import FirmwareFileMissing
from harness.firmware.stage import Disk, Loaded
from harness.image.arch import Arch, Edk2, architecture_of
from harness.image.copying import copy_sparse


def find_edk2(arch: Arch, candidates: tuple[Edk2, ...] | None = None) -> Edk2:
    """The firmware files of this host; raises FirmwareFileMissing naming the Debian package."""
    row = architecture_of(arch)
    candidates = row.edk2 if candidates is None else candidates
    for files in candidates:
        if files.code.is_file() and files.vars.is_file():
            return files
    raise FirmwareFileMissing(
        f"there is no UEFI firmware for {arch} on this machine",
        where=", ".join(str(files.code) for files in candidates),
        hint=f"install the Debian package {row.edk2_package}",
    )


CODE = "uefi-code.fd"
VARS = "uefi-vars.fd"


class UefiStage:
    """edk2 with variables of its own, which last through the resets and power cycles of one machine."""

    def __init__(self, arch: Arch, folder: Path) -> None:
        self._files = find_edk2(arch)
        self._vars = folder / VARS

    def prepare(self, disk: Disk) -> Loaded:  # noqa: ARG002  edk2 reads the disk itself
        """Copy the variables at the first power-on; later ones find them as the machine left them."""
        if not self._vars.exists():
            copy_sparse(self._files.vars, self._vars)
        return Loaded(code=self._files.code, vars=self._vars)

    def keep(self, loaded: Loaded, folder: Path) -> Loaded:
        """Copy the variables as they are now, and the code as a sparse file.

        On arm64 a distribution's file has 2 MiB of code and 62 MiB of zeroes. QEMU reads no holes; without them,
        each restored machine would have those zeroes in its memory.
        """
        if loaded.code is None or loaded.vars is None:
            return loaded
        return replace(
            loaded, code=copy_sparse(loaded.code, folder / CODE), vars=copy_sparse(loaded.vars, folder / VARS)
        )

    def adopt(self, kept: Loaded) -> Loaded:
        """Copy the variables of the snapshot, as this machine's own."""
        if kept.vars is None:
            return kept
        self._vars.unlink(missing_ok=True)
        return replace(kept, vars=copy_sparse(kept.vars, self._vars))
