"""What the kernel says of disks and of file systems beside the root."""

from __future__ import annotations

from harness.console.check import Check, Severity

NOTED = Severity.NOTED

CHECKS: tuple[Check, ...] = (
    Check(
        "io-error",
        # blk_errors in block/blk-core.c has these words.
        r"(?:(?:Buffer )?I/O|critical [a-z ]+|timeout|protection|recoverable transport|device offline)"
        r" error,? (?:on )?dev \w+.*"
        r"|attempt to access beyond end of device.*",
        "the disk does not read or write: {0}",
        NOTED,
        kernel=True,
        cause="look at the disk first: what else fails may only follow from it",
        example="critical medium error, dev sda, sector 2048 op 0x0:(READ) flags 0x0 phys_seg 1",
    ),
    Check(
        "card-error",
        # "Timeout waiting for hardware interrupt" is also what the Pi's Wi-Fi controller says where QEMU has none.
        r"\bmmc\d+: error -\d+ whilst initialising (?:SD|MMC) card|\bmmcblk\d+: recovery failed!"
        r"|\bmmcblk\d+: error -\d+ (?:sending|requesting) .*|\bmmc\d+: cache flush error -\d+"
        r"|\bmmc\d+: (?:card never left busy state|Card stuck being busy!.*)",
        "the SD card does not answer: {0}",
        NOTED,
        kernel=True,
        cause="look at the card first: what else fails may only follow from it",
        example="mmc0: error -110 whilst initialising SD card",
    ),
    Check(
        # gokrazy's /perm is the fourth partition; others are a user's (MountDevices).
        "ext4-error",
        r"EXT4-fs error \(device (?!\w*4\))([\w-]+)\).*|Aborting journal on device (?!\w*4-)([\w-]+)-\d.*"
        r"|EXT4-fs \((?!\w*4\))([\w-]+)\): Remounting filesystem read-only.*",
        "the file system on {1}{2}{3} is damaged, or its disk is gone: {0}",
        NOTED,
        kernel=True,
        cause="look at that disk first: what else fails may only follow from it",
        example="EXT4-fs error (device vdb): ext4_lookup:1855: inode #2: comm hello: deleted inode",
    ),
    Check(
        "ext4-error",
        r"EXT4-fs error \(.*|JBD2: .*(?:error|failed).*|Aborting journal on .*"
        r"|EXT4-fs \(.*\): Remounting filesystem read-only.*",
        "the file system /perm is damaged, or its disk is gone: {0}",
        NOTED,
        kernel=True,
        cause="look at /perm first: what else fails may only follow from it",
        example="Aborting journal on device vda4-8.",
    ),
    Check(
        "fat-error",
        r"(?<!ex)FAT-fs \(([\w-]+)\): (?:error|FAT read failed|Directory bread).*",
        "the FAT file system on {1} is damaged: {0}",
        NOTED,
        kernel=True,
        cause="look at that partition first (the first of a disk boots): what else fails may only follow from it",
        example="FAT-fs (vda1): FAT read failed (blocknr 33)",
    ),
)
