"""Lines that fit a check of the console and yet are as they should be."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Benign:
    """A line that fits a check and yet is as it should be."""

    pattern: re.Pattern[str]
    why: str


BENIGN: tuple[Benign, ...] = (
    Benign(
        re.compile(r"BdsDxe: failed to load Boot\w+ \"UEFI (?:QEMU (?:DVD-ROM|CD-ROM)|(?:PXE|HTTP)v[46])"),
        "the drive without a disc and the network are boot options that QEMU's machines always have",
    ),
    Benign(
        re.compile(
            r"WARNING: CPU: \d+ PID: \d+ at arch/arm64/mm/ioremap\.c:\d+ ioremap_prot"
            r"|WARNING: arch/arm64/mm/ioremap\.c:\d+ at ioremap_prot"
        ),
        "QEMU has no VideoCore, so the Raspberry Pi's virtual GPIO maps address 0",
    ),
    Benign(
        re.compile(r" error,? (?:on )?dev (?:sr|fd)\d"),
        "the drives without a medium that a PC machine comes with",
    ),
    Benign(
        re.compile(r" error,? (?:on )?dev mtdblock\d"),
        "a machine's flash for firmware, which has nothing of gokrazy's: a busy host plays it too slowly",
    ),
    Benign(
        re.compile(r"SQUASHFS error: Xattrs in filesystem, these will be ignored"),
        "gokrazy uses no extended attributes",
    ),
    Benign(
        re.compile(
            r"EFI stub: ERROR: (?:FIRMWARE BUG: |efi_get_random_bytes\(\) failed|Failed to \w+ memreserve "
            r"|Invalid header detected on UEFI supplied FDT|Could not determine UEFI Secure Boot status)"
        ),
        "the kernel's EFI stub goes on without what it missed",
    ),
)


def is_benign(text: str) -> bool:
    """Whether a line that fits a check is as it should be."""
    return any(one.pattern.search(text) for one in BENIGN)
