"""The table of console checks: what a line of the console means when it is not a good one.

The first check that fits a line wins, so what is special comes before what is general. The texts are those of
Linux 6.12 to 7.1, gokrazy (its init logs to the console, its services do not), SeaBIOS, edk2 and systemd-boot.
"""

from __future__ import annotations

import re

from harness.console.benign import is_benign
from harness.console.check import PANIC_WINDOW, Check, Severity
from harness.errors import (
    BootFailure,
    FirmwareFailure,
    HostTooBusy,
    InitFailure,
    KernelPanic,
)

FATAL, NOTED, INFO = Severity.FATAL, Severity.NOTED, Severity.INFO

MEMORY_SHORT = "the machine has {memory} MiB of memory{more}"
"""What to do where memory runs out: the facts of the machine fill it in."""

_PANIC = r"Kernel panic - not syncing: "
_INIT = _PANIC + r"Requested init (\S+) failed "

CHECKS: tuple[Check, ...] = (
    # --- init could not be started, or ended -------------------------------------------------------------
    Check(
        "init-missing",
        _INIT + r"\(error -2\)",
        "the kernel cannot start init: {1} is not in the root file system (error -2)",
        FATAL,
        InitFailure,
    ),
    Check(
        "init-not-executable",
        _INIT + r"\(error -8\)",
        "the kernel cannot run {1}: it is built for another architecture than the kernel, or damaged (error -8)",
        FATAL,
        InitFailure,
    ),
    Check(
        "init-not-permitted",
        _INIT + r"\(error -13\)",
        "the kernel may not run {1}: it is not a file with the permission to be executed (error -13)",
        FATAL,
        InitFailure,
    ),
    Check(
        "init-unreadable",
        _INIT + r"\(error -5\)",
        "the kernel cannot read {1}: the root file system or the disk under it is damaged (error -5)",
        FATAL,
        InitFailure,
        look_back=15,
    ),
    Check(
        "init-failed",
        _INIT + r"\(error (-\d+)\)",
        "the kernel cannot start {1} (error {2})",
        FATAL,
        InitFailure,
    ),
    Check(
        "init-missing",
        _PANIC + r"No working init found",
        "the kernel found no init that it could start: the root file system has none where the kernel looks",
        FATAL,
        InitFailure,
    ),
    Check(
        "init-died",
        _PANIC + r"Attempted to kill init!(?: exitcode=(0x[0-9a-f]+))?",
        "init ended, and the kernel cannot live without it",
        FATAL,
        InitFailure,
        of_init=True,
    ),
    # --- the root file system ----------------------------------------------------------------------------
    Check(
        "root-not-found",
        r"VFS: Cannot open root device \"?([^\"\s]+)\"? or .*error (-\d+)",
        "no partition of the disk is {1}: the root= of the kernel's command line and the partition table "
        "do not fit each other, or the disk is not there (error {2})",
        FATAL,
        KernelPanic,
        look_back=15,
    ),
    Check(
        "root-not-found",
        r"Waiting for root device (\S+?)(?:\.\.\.)?$",
        "the kernel waits for the partition {1}, which does not appear: the root= of its command line and the "
        "partition table do not fit each other, or the disk is not there",
        FATAL,
        BootFailure,
        kernel=True,
        patience=20.0,
        cured_by=r"VFS: Mounted root|Linux version ",
    ),
    Check(
        "squashfs-error",
        r"SQUASHFS error: (.*)",
        "the root file system is damaged: {1}",
        FATAL,
        BootFailure,
    ),
    Check(
        "root-not-mountable",
        _PANIC + r"VFS: Unable to mount root fs on (.*)",
        "the kernel cannot mount the root file system ({1}): it is no file system that the kernel knows "
        "(squashfs with gzip or without compression), or it is damaged",
        FATAL,
        KernelPanic,
        look_back=25,
    ),
    # --- the kernel --------------------------------------------------------------------------------------
    Check(
        "kernel-oops",
        r"BUG: (?:unable to handle|kernel NULL|Unable)[^\n]*|kernel BUG at [^\n]*|Unable to handle kernel [^\n]*"
        r"|Internal error: [^\n]*|Oops: [^\n]*|general protection fault[:,] [^\n]*",
        "the kernel made an error: {0}",
        FATAL,
        KernelPanic,
        kernel=True,
        window=PANIC_WINDOW,
        breakpoint="int3",
    ),
    Check(
        # check_timer() counts timer interrupts over some 40 ms of real time; a QEMU without KVM that gets no
        # processor meanwhile delivers too few (cirros-dev/cirros issue 69, lima-vm/socket_vmnet issue 55).
        "timer-starved",
        _PANIC + r"IO-APIC \+ timer doesn't work",
        "the kernel missed its timer's interrupts: this machine is too busy to emulate a PC",
        FATAL,
        HostTooBusy,
        look_back=15,
    ),
    Check(
        # Of raspi4b, where its card is in from power-on: see docs/raspberry-pi.md, "The network card".
        "usb-card-lost",
        r"dwc2 \S+: Not connected",
        "the kernel heard too late of its USB network card, which QEMU had forgotten: this machine is too busy",
        FATAL,
        HostTooBusy,
        kernel=True,
    ),
    Check(
        "kernel-panic",
        _PANIC + r"(.*)",
        "the kernel gave up: {1}",
        FATAL,
        KernelPanic,
        look_back=15,
    ),
    Check(
        "soft-lockup",
        r"watchdog: BUG: soft lockup.*|NMI watchdog: .*LOCKUP.*",
        "a processor was stuck inside the kernel: {0}",
        NOTED,
        kernel=True,
        cause="look first at what the kernel does there",
    ),
    Check("kernel-bug", r"BUG: (.*)", "the kernel reports a bug of its own: {1}", NOTED, kernel=True),
    Check(
        "kernel-warning",
        r"\] WARNING: (.*)",
        "the kernel warns of a state that it holds to be impossible: {1}",
        NOTED,
        kernel=True,
    ),
    Check(
        "rcu-stall",
        r"rcu: .*(?:detected stalls|self-detected stall|kthread starved).*",
        "a processor did not come back to the kernel for a long time (on a busy host: QEMU got too little time)",
        NOTED,
        kernel=True,
    ),
    Check(
        "hung-task",
        r"task \S+ blocked for more than \d+ seconds",
        "{0}",
        NOTED,
        kernel=True,
        cause="look first at what that task waits for",
    ),
    Check(
        "oom-kill",
        r"Out of memory: Killed process \d+ \((\S+)\)|(?:Memory cgroup out of memory): Killed process \d+ \(\S+\)",
        "memory ran out and the kernel killed a program: {0}",
        NOTED,
        kernel=True,
        cause=MEMORY_SHORT,
    ),
    Check(
        "segfault",
        r"\] (\S+)\[\d+\]: segfault at .*|traps: (\S+)\[\d+\] .*",
        "a program was killed by the processor: {0}",
        NOTED,
        kernel=True,
    ),
    # --- disk and file systems ---------------------------------------------------------------------------
    Check(
        "io-error",
        r"(?:Buffer )?I/O error,? (?:on )?dev \w+.*|attempt to access beyond end of device.*",
        "the disk does not read or write: {0}",
        NOTED,
        kernel=True,
        cause="look at the disk first: what else fails may only follow from it",
    ),
    Check(
        "ext4-error",
        r"EXT4-fs error \(.*|JBD2: .*(?:error|failed).*|EXT4-fs \(.*\): Remounting filesystem read-only.*",
        "the file system /perm is damaged: {0}",
        NOTED,
        kernel=True,
        cause="look at /perm first: what else fails may only follow from it",
    ),
    Check(
        "fat-error",
        r"FAT-fs \(.*\): error.*",
        "the boot file system is damaged: {0}",
        NOTED,
        kernel=True,
        cause="look at the boot partition first: what else fails may only follow from it",
    ),
    # --- gokrazy -----------------------------------------------------------------------------------------
    Check(
        "go-panic",
        r"^(?:panic: |fatal error: )(.*)",
        "a Go program that writes to the console (init, if the kernel panics next) panicked: {1}",
        NOTED,
        kernel=False,
    ),
    Check(
        "update-failed",
        r"updating \"?([^\s\"]+)\"? failed: (.*)",
        "an upload to {1} was not written: {2}",
        NOTED,
    ),
    Check(
        "switch-failed",
        r"(?:switching root partition to|enabling test-boot of new root partition) \S+ failed: (.*)",
        "the switch of the root partition failed: {1}",
        NOTED,
    ),
    Check(
        "switch-incomplete",
        r"updating systemd-boot config: (.*)",
        "the switch reached cmdline.txt but not loader/entries/gokrazy.conf, so UEFI boots the old slot: {1}",
        NOTED,
    ),
    Check(
        "no-serial-shell",
        r"could not start shell: (.*)",
        "input came on the console, but the image has no serial shell (yet): {1}",
        NOTED,
    ),
    Check("serial-shell-failed", r"runWithCtty: (.*)", "the serial shell ended badly: {1}", INFO),
    Check(
        "kexec-failed", r"kexec reboot failed: (.*)", "reboot by kexec failed, a full reset follows: {1}", NOTED
    ),
    Check("reboot-failed", r"could not (reboot|power ?off|halt): (.*)", "could not {1}: {2}", NOTED, kernel=False),
    Check(
        "service-ignores-signals",
        r"some services did not stop(?:, send sigkill| after sigkill)",
        "{0}",
        NOTED,
    ),
    Check("watchdog-failed", r"hardware watchdog ping failed: (.*)", "{0}", NOTED),
    Check(
        "tls-failed", r"failed loading certificate.*", "the web interface's certificate is unusable: {0}", NOTED
    ),
    Check("serving-failed", r"\bserving on (\S+:\d+|\S+\.sock): (.*)", "{0}", NOTED),
    Check(
        "perm-not-mounted",
        r"Could not mount permanent storage partition (\S+) as ext4: (.*)",
        "/perm is not mounted from {1}: {2}",
        INFO,
    ),
    # --- firmware and boot loaders -----------------------------------------------------------------------
    Check(
        "nothing-to-boot",
        r"No bootable device\.?|No bootable option or device was found|Boot failed: .*"
        r"|UEFI Interactive Shell|^Shell>|No loader found\. Configuration files .*",
        "the firmware found nothing that it could boot: {0}",
        FATAL,
        FirmwareFailure,
        kernel=False,
        firmware=True,
        look_back=15,
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
    ),
    Check(
        "firmware-crash",
        r"!!!! \w+ Exception Type .*|Synchronous Exception at 0x.*|ASSERT_EFI_ERROR .*|ASSERT .*\.c\(\d+\): .*",
        "the firmware crashed: {0}",
        FATAL,
        FirmwareFailure,
        kernel=False,
        firmware=True,
        look_back=15,
    ),
    Check(
        "boot-option-failed",
        r"BdsDxe: failed to load (.*)",
        "UEFI could not load one of its boot options: {1}",
        NOTED,
        kernel=False,
        firmware=True,
    ),
    Check(
        "kernel-damaged",
        r"(?:data is corrupt|crc error|invalid magic|Decoding failed|-- System halted)$",
        "the kernel could not be unpacked, its file is damaged ({0})",
        FATAL,
        FirmwareFailure,
        kernel=False,
        firmware=True,
    ),
)

CAUSES = {one.name: one.cause for one in CHECKS if one.cause}
"""Findings that end no wait by themselves, and yet explain what fails after them; and what to do about it."""

OPEN_ENDED = frozenset({"silence", "reboot-loop"})
"""Findings that come from no single line, and can be allowed like the checks."""


def allowable() -> frozenset[str]:
    """Return what a test may allow."""
    return frozenset(one.name for one in CHECKS) | OPEN_ENDED


def classify(text: str, *, kernel: bool, firmware: bool) -> tuple[Check, re.Match[str]] | None:
    """Return the check that this line fits, and how; None if it is an ordinary or a benign line.

    ``kernel`` says whether the kernel printed it, ``firmware`` whether no kernel runs.
    """
    for one in CHECKS:
        if one.firmware and not firmware:
            continue
        if one.kernel is not None and one.kernel != kernel:
            continue
        match = one.regex.search(text)
        if match is not None and match.start() and one.severity is FATAL and not (kernel or one.firmware):
            # A kernel that prints no times begins its lines with these words; here a program quotes them.
            continue
        if match is not None:
            return None if is_benign(text) else (one, match)
    return None
