from __future__ import annotations

import pytest

from harness.console import crashes
from harness.console.check import Check, Severity
from harness.console.crashes import CHECKS, OPEN_ENDED, allowable, classify
from harness.console.findings import CrashWatcher, Finding, shortened
from harness.console.lines import KERNEL_STAMP, Line, LineSplitter
from harness.errors import BootFailure, FirmwareFailure, HarnessError, InitFailure, KernelPanic, QemuFailed

K = "[   12.345678] "

EXAMPLES = (
    ("init-missing", K + "Kernel panic - not syncing: Requested init /nope failed (error -2)."),
    (
        "init-missing",
        K + "Kernel panic - not syncing: No working init found.  Try passing init= option to kernel.",
    ),
    ("init-not-executable", K + "Kernel panic - not syncing: Requested init /gokrazy/init failed (error -8)."),
    ("init-not-permitted", K + "Kernel panic - not syncing: Requested init /gokrazy/init failed (error -13)."),
    ("init-unreadable", K + "Kernel panic - not syncing: Requested init /gokrazy/init failed (error -5)."),
    ("init-failed", K + "Kernel panic - not syncing: Requested init /gokrazy/init failed (error -40)."),
    ("init-died", K + "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000200"),
    (
        "root-not-found",
        K + 'VFS: Cannot open root device "PARTUUID=60c24cc1/PARTNROFF=1" or unknown-block(0,0): error -6',
    ),
    ("root-not-found", K + "Waiting for root device PARTUUID=60c24cc1/PARTNROFF=1..."),
    ("root-not-mountable", K + "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(253,2)"),
    ("squashfs-error", K + "SQUASHFS error: unable to read id index table"),
    ("kernel-oops", K + "BUG: unable to handle page fault for address: ffffffffdeadbeef"),
    ("kernel-oops", K + "BUG: kernel NULL pointer dereference, address: 0000000000000000"),
    ("kernel-oops", K + "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000"),
    ("kernel-oops", K + "Internal error: Oops: 0000000096000044 [#1] PREEMPT SMP"),
    ("kernel-oops", K + "kernel BUG at fs/ext4/inode.c:2721!"),
    (
        "timer-starved",
        K + "Kernel panic - not syncing: IO-APIC + timer doesn't work!  Boot with apic=debug and send a report.",
    ),
    ("usb-card-lost", K + "dwc2 fe980000.usb: Not connected"),
    ("kernel-panic", K + "Kernel panic - not syncing: sysrq triggered crash"),
    ("soft-lockup", K + "watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [hello:104]"),
    ("kernel-bug", K + "BUG: scheduling while atomic: kworker/0:1/12/0x00000002"),
    ("kernel-warning", K + "WARNING: CPU: 1 PID: 33 at kernel/workqueue.c:3000 check_flush+0x1/0x2"),
    ("rcu-stall", K + "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:"),
    ("rcu-stall", K + "rcu: INFO: rcu_sched self-detected stall on CPU"),
    ("hung-task", K + "INFO: task hello:104 blocked for more than 120 seconds."),
    ("oom-kill", K + "Out of memory: Killed process 105 (leaker) total-vm:1234kB, anon-rss:1kB"),
    ("segfault", K + "hello[104]: segfault at 0 ip 0000000000401000 sp 00007ffe error 4 in hello[401000+1000]"),
    ("segfault", K + "traps: hello[104] general protection fault ip:401000 sp:7ffe error:0 in hello[401000]"),
    ("io-error", K + "I/O error, dev vda, sector 213008 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0"),
    ("io-error", K + "Buffer I/O error on dev vda2, logical block 0, async page read"),
    ("io-error", K + "attempt to access beyond end of device"),
    ("ext4-error", K + "EXT4-fs error (device vda4): ext4_lookup:1855: inode #2: comm hello: deleted inode"),
    ("fat-error", K + "FAT-fs (vda1): error, fat_get_cluster: invalid cluster chain (i_pos 0)"),
    ("go-panic", "panic: runtime error: index out of range [3] with length 3"),
    ("go-panic", "fatal error: all goroutines are asleep - deadlock!"),
    ("update-failed", '2026/11/21 23:46:27 update.go:200: updating "/dev/vda3" failed: unexpected EOF'),
    ("switch-failed", "2026/11/21 23:46:27 update.go:328: switching root partition to 3 failed: no root="),
    ("switch-failed", '2026/11/21 23:46:27 enabling test-boot of new root partition "3" failed: x'),
    (
        "switch-incomplete",
        "2026/11/21 23:46:27 updating systemd-boot config: open /loader/entries/gokrazy.conf: not found",
    ),
    ("no-serial-shell", "2026/11/21 23:46:27 could not start shell: stat /perm/sh: no such file or directory"),
    ("serial-shell-failed", "2026/11/21 23:46:27 runWithCtty: exit status 2"),
    ("kexec-failed", "2026/11/21 23:46:27 kexec reboot failed: function not implemented"),
    ("reboot-failed", "2026/11/21 23:46:27 could not reboot: operation not permitted"),
    ("service-ignores-signals", "2026/11/21 23:46:27 some services did not stop, send sigkill"),
    ("watchdog-failed", "2026/11/21 23:46:27 hardware watchdog ping failed: input/output error"),
    ("tls-failed", "2026/11/21 23:46:27 failed loading certificate: tls: private key does not match public key"),
    ("serving-failed", "2026/11/21 23:46:27 serving on 10.0.2.15:80: accept tcp: too many open files"),
    (
        "perm-not-mounted",
        "2026/11/21 Could not mount permanent storage partition /dev/vda4 as ext4: invalid argument",
    ),
    ("nothing-to-boot", "No bootable device."),
    ("nothing-to-boot", "Boot failed: not a bootable disk"),
    ("nothing-to-boot", "BdsDxe: No bootable option or device was found."),
    ("nothing-to-boot", "UEFI Interactive Shell v2.2"),
    ("nothing-to-boot", "Shell> "),
    ("boot-menu", "   Reboot Into Firmware Interface   "),
    ("boot-loader-failed", "Error loading \\vmlinuz: Not Found"),
    ("boot-loader-failed", "Failed to execute Linux (\\vmlinuz): Load Error"),
    ("boot-loader-failed", "EFI stub: ERROR: Failed to handle fs_proto"),
    ("boot-loader-failed", 'BdsDxe: failed to start Boot0002 "UEFI Misc Device" from PciRoot(0x0): Unsupported'),
    ("firmware-crash", "!!!! X64 Exception Type - 0D(#GP - General Protection)  CPU Apic ID - 00000000 !!!!"),
    ("firmware-crash", "Synchronous Exception at 0x000000005C7A1000"),
    (
        "boot-option-failed",
        'BdsDxe: failed to load Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x3,0x0): Not Found',
    ),
    ("kernel-damaged", "ZSTD-compressed data is corrupt"),
    ("kernel-damaged", " -- System halted"),
)

GOOD = (
    K + "Kernel command line: console=ttyS0,115200 init=/gokrazy/init panic=10 oops=panic",
    K + "EXT4-fs (vda4): mounted filesystem 5d3a r/w with ordered data mode. Quota mode: none.",
    K + "EXT4-fs (vda4): recovery complete",
    K + "EXT4-fs (vda4): VFS: Can't find ext4 filesystem",
    K + 'PCI: Using host bridge windows from ACPI; if necessary, use "pci=nocrs" and report a bug',
    K + "reg-fixed-voltage cam1_regulator: error -EIO: can't get GPIO",
    K + "rcu: Hierarchical SRCU implementation.",
    K + "I/O error, dev sr0, sector 0 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2",
    "2026/11/21 23:46:27 update.go:398: unmounting /perm failed: invalid argument",
    'BdsDxe: failed to load Boot0001 "UEFI QEMU DVD-ROM QM00005 " from PciRoot(0x0)/Pci(0x1F,0x2): Not Found',
    'BdsDxe: starting Boot0002 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x3,0x0)',
    "2026/11/22 rootdev.go:60: findGPTPartUUID: open /dev/sr0: no medium found",
)


def is_kernel(text: str) -> bool:
    return KERNEL_STAMP.match(text) is not None


@pytest.mark.parametrize(("name", "text"), EXAMPLES)
def test_a_line_is_recognised(name: str, text: str) -> None:
    found = classify(text, kernel=is_kernel(text), firmware=True)
    assert found is not None
    assert found[0].name == name


@pytest.mark.parametrize("text", GOOD)
def test_a_good_line_is_left_alone(text: str) -> None:
    assert classify(text, kernel=is_kernel(text), firmware=True) is None


def test_every_check_has_an_example() -> None:
    assert {name for name, _ in EXAMPLES} == {check.name for check in CHECKS} == allowable() - OPEN_ENDED


@pytest.mark.parametrize(("name", "text"), EXAMPLES)
def test_every_meaning_can_be_said(name: str, text: str) -> None:
    watcher = CrashWatcher()
    for line in lines(text):
        watcher.see(line, boot=1, firmware=True)
    watcher.tick(1000.0)
    assert [finding.name for finding in watcher.findings] == [name]
    assert "{" not in watcher.findings[0].what


def lines(text: str, at: float = 0.0) -> list[Line]:
    splitter = LineSplitter()
    data = text.encode()
    return splitter.feed(data, offset=0, at=at) + splitter.close(offset=len(data), at=at)


def watch(text: str, *, in_many_threads: bool = False) -> list[Finding]:
    watcher = CrashWatcher(in_many_threads=lambda: in_many_threads)
    for line in lines(text):
        watcher.see(line, boot=1, firmware=True)
    watcher.tick(0.0, settle=True)
    return watcher.findings


def test_init_that_panics_is_told_with_its_goroutines() -> None:
    findings = watch(
        f"2026/11/22 earlier\n{K}earlier still\n"
        "panic: runtime error: invalid memory address or nil pointer dereference\n"
        "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x1]\n\n"
        "goroutine 1 [running]:\nmain.main()\n\t/build/init.go:12 +0x1d\nexit status 2\n"
        f"{K}Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000200\n"
        f"{K}Call Trace:\n{K}Rebooting in 10 seconds..\n"
    )
    died = findings[-1]
    assert died.error_type is InitFailure
    assert died.what == (
        "init exited with status 2, and the kernel cannot live without it; "
        "it last said: panic: runtime error: invalid memory address or nil pointer dereference"
    )
    evidence = died.error().evidence
    assert "goroutine 1 [running]:" in evidence
    assert "earlier" not in evidence
    assert evidence.endswith("Rebooting in 10 seconds..")


def test_init_that_gives_up_is_told_with_its_last_line() -> None:
    findings = watch(
        "2026/11/22 failed loading certificate: tls: private key does not match\n"
        f"{K}Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\n"
    )
    assert [finding.name for finding in findings] == ["tls-failed", "init-died"]
    assert "status 1" in findings[-1].what
    assert "private key does not match" in findings[-1].what


def test_init_killed_by_a_signal_is_told_so() -> None:
    [died] = watch(f"{K}Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b\n")
    assert died.what.startswith("init was killed by signal 11")


def test_an_oops_and_its_panic_are_one_crash() -> None:
    findings = watch(
        f"{K}BUG: kernel NULL pointer dereference, address: 0000000000000000\n"
        f"{K}Oops: Oops: 0002 [#1] SMP\n{K}RIP: 0010:sysrq_handle_crash+0x1\n"
        f"{K}---[ end trace 0000000000000000 ]---\n"
        f"{K}Kernel panic - not syncing: Fatal exception\n{K}Rebooting in 10 seconds..\n"
    )
    [crash] = findings
    assert crash.error_type is KernelPanic
    assert "NULL pointer dereference" in crash.what
    assert crash.also == ["kernel-panic"]
    assert crash.evidence[-1].text.endswith("Rebooting in 10 seconds..")


def test_what_comes_after_the_last_words_is_a_new_matter() -> None:
    panic = f"{K}Kernel panic - not syncing: sysrq triggered crash\n{K}Rebooting in 10 seconds..\n"
    assert len(watch(panic + panic)) == 2


def test_a_root_device_that_comes_late_is_no_crash() -> None:
    watcher = CrashWatcher()
    waiting = lines(f"{K}Waiting for root device /dev/mmcblk0p2...\n", at=3.0)
    for line in waiting:
        watcher.see(line, boot=1, firmware=True)
    assert watcher.due() == 23.0
    watcher.tick(10.0)
    for line in lines(f"{K}VFS: Mounted root (squashfs filesystem) readonly on device 179:2.\n", at=11.0):
        watcher.see(line, boot=1, firmware=True)
    watcher.tick(100.0)
    assert watcher.findings == []

    for line in waiting:
        watcher.see(line, boot=1, firmware=True)
    watcher.tick(24.0)
    [finding] = watcher.findings
    assert (finding.name, finding.error_type, finding.settled) == ("root-not-found", BootFailure, True)


def test_a_flood_of_the_same_is_counted_not_kept() -> None:
    findings = watch("".join(f"{K}I/O error, dev vda, sector {n} op 0x0:(READ)\n" for n in range(500)))
    assert len(findings) == 20
    assert sum(finding.count for finding in findings) == 500


def test_what_is_allowed_is_kept_but_harmless() -> None:
    watcher = CrashWatcher()
    watcher.allowed = {"kernel-panic"}
    for line in lines(f"{K}Kernel panic - not syncing: sysrq triggered crash\n"):
        watcher.see(line, boot=1, firmware=True)
    assert [(finding.allowed, finding.fatal) for finding in watcher.findings] == [(True, False)]


def test_a_program_cannot_fake_what_only_the_kernel_says() -> None:
    assert classify("WARNING: something of my own", kernel=False, firmware=False) is None
    assert classify("BUG: in my program", kernel=False, firmware=False) is None


def test_a_program_that_fails_to_load_something_is_no_boot_loader() -> None:
    assert classify("Failed to load config.json: not found", kernel=False, firmware=False) is None
    assert classify("Failed to load config.json: not found", kernel=False, firmware=True) is not None


def test_firmware_failures_are_the_boot_loaders() -> None:
    [finding] = watch("Booting from Hard Disk...\nBoot failed: not a bootable disk\n\nNo bootable device.\n")
    assert finding.error_type is FirmwareFailure
    assert finding.severity is Severity.FATAL
    assert finding.also == []


def test_shortened_keeps_both_ends() -> None:
    many = [Line(float(n), n, str(n)) for n in range(100)]
    short = shortened(many, 10)
    assert len(short) == 10
    assert (short[0].text, short[-1].text) == ("0", "99")
    assert [line.text for line in short if line.mark] == ["(91 lines left out)"]


def oops(kind: str, code: str) -> str:
    """What a PC's kernel (Linux 7.1.2) prints of one, shortened."""
    return (
        f"{K}Oops: {kind}: 0000 [#1] SMP NOPTI\n"
        f"{K}CPU: 0 UID: 0 PID: 0 Comm: swapper/0 Not tainted 7.1.2 #1 PREEMPT(lazy)\n"
        f"{K}RIP: 0010:sched_clock_cpu+0x9/0x190\n"
        f"{K}Code: 90 90 90 90 f3 0f 1e fa 41 54 55 53 {code} e8 31 d6 f3 ff 48 03 05 3a 72 3a 02\n"
        f"{K}Call Trace:\n{K} <TASK>\n"
        f"{K}RIP: 0010:pv_native_safe_halt+0xf/0x20\n"
        f"{K}Code: 90 90 f3 0f 1e fa eb 07 0f 00 2d b5 a5 08 00 fb cc <c3> cc cc cc cc\n"
        f"{K}Kernel panic - not syncing: Fatal exception in interrupt\n"
    )


@pytest.mark.parametrize(
    ("kind", "code", "in_many_threads", "error"),
    [
        ("int3", "66 <90>", True, QemuFailed),
        ("int3", "eb <10>", True, QemuFailed),
        ("int3", "cc <90>", True, KernelPanic),
        ("int3", "66 <90>", False, KernelPanic),
        ("invalid opcode", "66 <90>", True, KernelPanic),
    ],
)
def test_a_breakpoint_that_is_not_in_the_code_is_qemus_doing(
    kind: str, code: str, in_many_threads: bool, error: type[HarnessError]
) -> None:
    (finding,) = watch(oops(kind, code), in_many_threads=in_many_threads)
    assert finding.name == "kernel-oops"
    assert type(finding.error()) is error
    assert ("issue 4669" in finding.what) is (error is QemuFailed)
    assert "Fatal exception" in finding.error().evidence


@pytest.mark.parametrize(
    "words",
    [
        "Kernel panic - not syncing: Fatal exception",
        "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000200",
        "SQUASHFS error: zlib decompression failed, data probably corrupt",
    ],
)
def test_what_a_program_quotes_of_a_dead_kernel_is_no_death(words: str) -> None:
    assert classify(words, kernel=False, firmware=False) is not None
    assert classify(f"[    1.000000] {words}", kernel=True, firmware=False) is not None
    assert classify(f"2026/01/01 10:00:00 before the last start: {words}", kernel=False, firmware=False) is None


def test_a_new_pattern_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Check("disk-on-fire", r"lp0 on (\S+)", "paper burns: {1}", Severity.FATAL, KernelPanic, kernel=True)
    monkeypatch.setattr(crashes, "CHECKS", (row, *CHECKS))
    watcher = CrashWatcher()
    watcher.see(Line(3.0, 0, "[    3.000000] lp0 on fire", kernel=True), boot=1)
    watcher.tick(10.0)
    (found,) = watcher.findings
    assert (found.name, found.what, found.fatal) == ("disk-on-fire", "paper burns: fire", True)
    assert "disk-on-fire" in allowable()
