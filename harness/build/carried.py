"""What ``gok`` carries in itself and puts into every image, whatever the instance's go.mod says.

An instance selects the module github.com/gokrazy/internal by way of github.com/gokrazy/gokrazy, and may well
select one whose boot sector cannot load today's kernels: ``gok`` never looks at it. So the boot sector comes from
the version that is named here, checked against its digests. Of the rest that ``gok`` carries,

- the boot loader for UEFI, for both architectures, is this machine's systemd-boot (``bootfs.find_efi_loaders``),
- init's source, the writers of partition table, FAT and squashfs, the SBOM's format are this project's own code,
- the device types are data of this project (``device_types``).

Kernel, firmware, EEPROM, gokrazy's own programs and the library that init is built with come from the instance's
go.mod files, with ``gok`` as well. CA certificates and time zone are the build host's there; here they are
the build host's and UTC, so that a time zone does not make two machines' images differ.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.build.go import GoToolchain, Pinned
from harness.errors import HarnessError, InternalError
from harness.image.arch import WITH_BOOT_SECTOR
from harness.image.boot_sector import CODE_BYTES

INTERNAL = Pinned(
    module="github.com/gokrazy/internal",
    version="v0.0.0-20260625065634-6994f9152c44",
    sum="h1:hUOyCucKrO5bNvL7Wrn2eglA5mxMvXrhuUVepWKjHhI=",
    mod_sum="h1:dQY4EMkD4L5ZjYJ0SPtpgYbV7MIUMCxNIXiOfnZ6jP4=",
)
"""The newest version known; its boot sector is that of gok since 2024-08-27."""
BOOT_SECTOR_SHA256 = "3ef242ace693aa6c9733362c7e795bddd5805deb9ce575b056237d142ceab7a3"
"""Of mbr/bootloader.img in that version: it goes into the key of the cache without being fetched."""


@dataclass(frozen=True)
class BootSector:
    """The boot sector's code, before the sector numbers of a disk are put behind it."""

    content: bytes
    title: str
    """Where it is from, for reports."""


TITLE = f"{INTERNAL.module} {INTERNAL.version} (sha256:{BOOT_SECTOR_SHA256})"


def boot_sector(go: GoToolchain, work: Path) -> BootSector:
    """The boot sector for every image, fetched unless Go has it; ``work`` is a folder for temporary files.

    Raises ModuleUnavailable.
    """
    path = go.pinned_folder(INTERNAL, work) / "mbr" / "bootloader.img"
    content = path.read_bytes()
    if len(content) < CODE_BYTES or hashlib.sha256(content).hexdigest() != BOOT_SECTOR_SHA256:
        raise InternalError("the boot sector is not the one that is pinned", where=str(path))
    return BootSector(content, TITLE)


def main() -> int:
    """Fetch what is pinned, for later builds without a network; exit status 0, 4 or 12."""
    try:
        with tempfile.TemporaryDirectory(prefix="gokharness-carried-") as work:
            print(boot_sector(GoToolchain.find(arch=WITH_BOOT_SECTOR, build_env={}), Path(work)).title)
    except HarnessError as error:
        print(error, file=sys.stderr)
        return error.fault.value
    return 0


if __name__ == "__main__":
    sys.exit(main())
