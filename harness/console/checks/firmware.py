"""What firmware and boot loaders say: SeaBIOS, edk2, systemd-boot, the kernel's own unpacker."""

from __future__ import annotations

from harness.console.check import Check, Severity
from harness.errors import FirmwareFailure

FATAL, NOTED, INFO = Severity.FATAL, Severity.NOTED, Severity.INFO

CHECKS: tuple[Check, ...] = (
    Check(
        "nothing-to-boot",
        r"No bootable device\.?|No bootable option or device was found"
        r"|UEFI Interactive Shell|^Shell>|No loader found\. Configuration files .*",
        "the firmware found nothing that it could boot: {0}",
        FATAL,
        FirmwareFailure,
        kernel=False,
        firmware=True,
        look_back=15,
        hint="was the image made for this kind of board? (--gk-board names others)",
        example="No bootable device.",
    ),
    Check(
        "boot-menu",
        r"Reboot Into Firmware Interface",
        "systemd-boot has no kernel to start and shows its menu: loader/entries/gokrazy.conf, or the kernel that "
        "it names, is missing or damaged",
        FATAL,
        FirmwareFailure,
        kernel=False,
        firmware=True,
        hint="compare loader/entries/gokrazy.conf and vmlinuz in the boot partition with a fresh build",
        example="Reboot Into Firmware Interface",
    ),
    Check(
        "boot-loader-failed",
        r"Error loading .*|Failed to (?:execute|load|start|open) \\?\S+.*: .*|EFI stub: ERROR: .*"
        r"|BdsDxe: failed to start .*|\\vmlinuz: (?:Not Found|Load Error|Unsupported|Volume Corrupt.*)",
        "the boot loader could not start the kernel: {0}",
        FATAL,
        FirmwareFailure,
        kernel=False,
        firmware=True,
        look_back=15,
        hint="compare vmlinuz in the boot partition with that of the kernel package",
        example="Error loading \\vmlinuz: Not Found",
    ),
    Check(
        "firmware-crash",
        r"!!!! \w+ Exception Type .*|Synchronous Exception at 0x.*|Assertion '.*' failed at \S+:\d+.*"
        r"|ASSERT_EFI_ERROR .*|ASSERT .*\.c\(\d+\): .*",
        "the firmware crashed: {0}",
        FATAL,
        FirmwareFailure,
        kernel=False,
        firmware=True,
        look_back=15,
        hint="compare the boot partition with a fresh build; the same everywhere is a defect of the firmware",
        example="!!!! X64 Exception Type - 0D(#GP - General Protection)  CPU Apic ID - 00000000 !!!!",
    ),
    Check(
        "boot-option-failed",
        r"BdsDxe: failed to load (.*)",
        "UEFI could not load one of its boot options: {1}",
        NOTED,
        kernel=False,
        firmware=True,
        example='BdsDxe: failed to load Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x3,0x0): Not Found',
    ),
    Check(
        # SeaBIOS tries the next one, and says "No bootable device." where none is left.
        "boot-disk-passed-over",
        r"Boot failed: (.*)",
        "the BIOS could not boot from one of its disks: {1}",
        INFO,
        kernel=False,
        firmware=True,
        example="Boot failed: not a bootable disk",
    ),
    Check(
        "kernel-damaged",
        r"data is corrupt$|crc error$|invalid magic$|Decoding failed$|-- System halted$",
        "the kernel could not be unpacked, its file is damaged ({0})",
        FATAL,
        FirmwareFailure,
        kernel=False,
        firmware=True,
        hint="compare vmlinuz in the boot partition with that of the kernel package",
        example="ZSTD-compressed data is corrupt",
    ),
)
