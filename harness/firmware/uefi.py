"""edk2 in QEMU's flash chips: shared read-only code, and a private copy of the variables for each machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import FirmwareFileMissing
from harness.firmware.stage import Disk, Loaded
from harness.image.copying import copy_sparse
from harness.image.model import Arch


@dataclass(frozen=True)
class Edk2:
    """The two files of one edk2: its code, and its variables as they are before the first start."""

    code: Path
    vars: Path


CANDIDATES: dict[Arch, tuple[Edk2, ...]] = {
    "amd64": (
        Edk2(Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd")),
        Edk2(Path("/usr/share/edk2/x64/OVMF_CODE.4m.fd"), Path("/usr/share/edk2/x64/OVMF_VARS.4m.fd")),
        Edk2(Path("/usr/share/edk2/ovmf/OVMF_CODE.fd"), Path("/usr/share/edk2/ovmf/OVMF_VARS.fd")),
    ),
    "arm64": (
        Edk2(Path("/usr/share/AAVMF/AAVMF_CODE.fd"), Path("/usr/share/AAVMF/AAVMF_VARS.fd")),
        Edk2(Path("/usr/share/edk2/aarch64/QEMU_CODE.fd"), Path("/usr/share/edk2/aarch64/QEMU_VARS.fd")),
    ),
}
"""Where distributions put edk2: Debian and Ubuntu first, then Arch and Fedora."""
PACKAGES: dict[Arch, str] = {"amd64": "ovmf", "arm64": "qemu-efi-aarch64"}


def find_edk2(arch: Arch, candidates: tuple[Edk2, ...] | None = None) -> Edk2:
    """The firmware files of this host; raises FirmwareFileMissing naming the Debian package."""
    candidates = CANDIDATES[arch] if candidates is None else candidates
    for files in candidates:
        if files.code.is_file() and files.vars.is_file():
            return files
    raise FirmwareFileMissing(
        f"there is no UEFI firmware for {arch} on this machine",
        where=", ".join(str(files.code) for files in candidates),
        hint=f"install the Debian package {PACKAGES[arch]}",
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
