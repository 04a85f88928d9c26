"""The architectures that appliances are built for, one row each: everything that differs between them.

It lies at the bottom, below ``boards/``, because whoever reads or builds an image asks it as well. It imports the
standard library only: ``harness.host.requirements`` reads it before anything is installed.

A new architecture is a new name in ``Arch``, a row here, and its boards.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Arch = Literal["amd64", "arm64"]
"""An architecture by the word that Go (GOARCH) and Debian have for it."""


@dataclass(frozen=True)
class Edk2:
    """The two files of a UEFI firmware for QEMU."""

    code: Path
    vars: Path

    @property
    def names(self) -> tuple[str, str]:
        """Both, as text."""
        return (str(self.code), str(self.vars))


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One architecture."""

    name: Arch
    title: str
    """What users call its boards."""
    machine: str
    """What Linux calls it: ``uname -m``."""
    elf: int
    """The number of its machine in ELF programs (``e_machine``)."""
    narrow: str
    """GOARCH of the 32-bit programs that its processors run as well, with a kernel for both."""
    kernel_magic: tuple[int, bytes]
    """Where its kernels have which bytes."""
    kernel_64bit: tuple[int, int] | None = None
    """The byte and the bit that say that a kernel is 64-bit, where one for ``narrow`` has the same magic."""
    kernels: tuple[str, ...]
    """How the paths of the known kernel packages for it end."""
    serial: str
    """What the kernel calls the first serial port."""
    root_type: uuid.UUID
    """The type of its root file system's partition in a GPT."""
    efi: str
    """What UEFI and systemd call it in names of files."""
    has_boot_sector: bool = False
    """Whether a BIOS may start it, by gokrazy's boot sector."""
    may_be_card: bool = False
    """Whether a disk may be meant for an SD card, whose size is a power of two in QEMU."""
    qemu: str
    """The program that plays it."""
    qemu_package: str
    """The Debian package that has the program."""
    edk2: tuple[Edk2, ...]
    """Where distributions put its UEFI firmware: Debian and Ubuntu first, then others."""
    edk2_package: str
    """The Debian package that has the firmware."""

    @property
    def systemd_boot(self) -> str:
        """The file that systemd's boot loader is in."""
        return f"systemd-boot{self.efi}.efi"

    @property
    def efi_loader(self) -> str:
        """The file that UEFI starts from a disk (UEFI 2.10, 3.5.1.1: removable media)."""
        return f"EFI/BOOT/BOOT{self.efi.upper()}.EFI"


ARCHITECTURES = (
    Architecture(
        name="amd64",
        title="PC",
        machine="x86_64",
        elf=62,
        narrow="386",
        # https://docs.kernel.org/arch/x86/boot.html: header, and xloadflags with XLF_KERNEL_64.
        kernel_magic=(0x202, b"HdrS"),
        kernel_64bit=(0x236, 0),
        kernels=("kernel.amd64", "rtr7/kernel"),
        serial="ttyS0",
        # https://uapi-group.org/specifications/specs/discoverable_partitions_specification/
        root_type=uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709"),
        efi="x64",
        has_boot_sector=True,
        qemu="qemu-system-x86_64",
        qemu_package="qemu-system-x86",
        edk2=(
            Edk2(Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd")),
            Edk2(Path("/usr/share/edk2/x64/OVMF_CODE.4m.fd"), Path("/usr/share/edk2/x64/OVMF_VARS.4m.fd")),
            Edk2(Path("/usr/share/edk2/ovmf/OVMF_CODE.fd"), Path("/usr/share/edk2/ovmf/OVMF_VARS.fd")),
        ),
        edk2_package="ovmf",
    ),
    Architecture(
        name="arm64",
        title="arm64",
        machine="aarch64",
        elf=183,
        narrow="arm",
        # https://docs.kernel.org/arch/arm64/booting.html
        kernel_magic=(0x38, b"ARM\x64"),
        kernels=("kernel.arm64", "kernel.rpi", "gokrazy/kernel"),
        serial="ttyAMA0",
        root_type=uuid.UUID("b921b045-1df0-41c3-af44-4c6f280d3fae"),
        efi="aa64",
        may_be_card=True,
        qemu="qemu-system-aarch64",
        qemu_package="qemu-system-arm",
        edk2=(
            Edk2(Path("/usr/share/AAVMF/AAVMF_CODE.fd"), Path("/usr/share/AAVMF/AAVMF_VARS.fd")),
            Edk2(Path("/usr/share/edk2/aarch64/QEMU_CODE.fd"), Path("/usr/share/edk2/aarch64/QEMU_VARS.fd")),
        ),
        edk2_package="qemu-efi-aarch64",
    ),
)

WITH_BOOT_SECTOR = next(row.name for row in ARCHITECTURES if row.has_boot_sector)
"""The one architecture that gokrazy has a boot sector for."""
DEFAULT: Arch = "arm64"
"""What gokrazy builds for where nothing names an architecture."""
NAMES: tuple[Arch, ...] = tuple(row.name for row in ARCHITECTURES)


def architecture_of(name: Arch) -> Architecture:
    """The row of this name."""
    return next(row for row in ARCHITECTURES if row.name == name)


def known(name: str | None) -> Arch | None:
    """The architecture of this name, None where there is no such row."""
    return next((row.name for row in ARCHITECTURES if row.name == name), None)


def of_machine(machine: str) -> Arch | None:
    """The architecture of a host by its ``uname -m``, None where there is no such row."""
    return next((row.name for row in ARCHITECTURES if row.machine == machine), None)
