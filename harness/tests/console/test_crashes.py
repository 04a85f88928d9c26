"""What is found on a console: which lines belong to one crash, and what it is called."""

from __future__ import annotations

import pytest

from harness.console.check import PANIC_SILENCE, PANIC_WINDOW, Check, Severity
from harness.console.crashes import Table
from harness.console.findings import CrashWatcher, Finding, shortened
from harness.console.lines import Line
from harness.errors import BootFailure, FirmwareFailure, HarnessError, InitFailure, KernelPanic, QemuFailed
from harness.tests.console.replay import LAST_WORDS, K, lines

classify = Table().classify


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


@pytest.mark.parametrize("first", ["SIGABRT: abort", "fatal error: all goroutines are asleep - deadlock!"])
def test_init_is_told_by_the_first_line_of_its_crash_however_many_goroutines_follow(first: str) -> None:
    goroutines = "".join(f"goroutine {number} [select]:\nmain.wait()\n" for number in range(300))
    died = watch(
        f"{first}\n{goroutines}{K}Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000200\n"
    )[-1]
    assert died.what.endswith(f"; it last said: {first}")
    assert first in died.error().evidence


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
    assert died.what.startswith("init was killed by signal 11 (SIGSEGV), ")
    [died] = watch(f"{K}Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000004\n")
    assert died.what.startswith("init was killed by signal 4 (SIGILL, an instruction that this processor lacks), ")


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
    assert "--gk-kernel MODULE@VERSION" in crash.error().hint
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
    assert finding.error().overdue, "a host that lets QEMU starve keeps the disk away for as long"


def test_only_a_limit_that_passed_makes_a_crash_overdue() -> None:
    [finding] = watch(f'{K}VFS: Cannot open root device "/dev/mmcblk0p2" or unknown-block(0,0): error -6\n')
    assert not finding.error().overdue


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


@pytest.mark.parametrize("allowed", ["kernel-oops", "squashfs-error"])
def test_a_death_behind_what_is_allowed_is_seen(allowed: str) -> None:
    watcher = CrashWatcher()
    watcher.allowed = {allowed}
    said = {"kernel-oops": "BUG: unable to handle page fault", "squashfs-error": "SQUASHFS error: bad block"}
    for line in lines(
        f"{K}{said[allowed]}\n{K}Call Trace:\n{K}Oops: Oops: 0002 [#1] SMP\n"
        f"{K}Kernel panic - not syncing: Fatal exception\n{K}Rebooting in 10 seconds..\n"
    ):
        watcher.see(line, boot=1, firmware=True)
    deaths = [finding for finding in watcher.findings if finding.fatal]
    assert [(one.name, one.settled) for one in deaths][-1] in [("kernel-panic", True), ("kernel-oops", True)]
    assert "Rebooting in" in deaths[-1].evidence[-1].text
    assert [one.name for one in watcher.findings if one.allowed] == [allowed]


def test_a_flood_of_what_is_allowed_is_counted_not_kept() -> None:
    watcher = CrashWatcher()
    watcher.allowed = {"squashfs-error"}
    for number in range(500):
        for line in lines(f"{K}SQUASHFS error: bad block {number}\n", at=float(number)):
            watcher.see(line, boot=1)
        watcher.tick(number + 0.9)
    assert len(watcher.findings) == 20
    assert sum(one.count for one in watcher.findings) == 500


def test_a_panic_that_only_says_that_it_follows_names_what_it_follows() -> None:
    warning, panic = watch(
        f"{K}WARNING: fs/ext4/inode.c:12 at ext4_evict+0x1/0x2, CPU#0: hello/104\n"
        f"{K}Call Trace:\n{K} ext4_evict+0x1\n"
        f"{K}Kernel panic - not syncing: kernel: panic_on_warn set ...\n"
    )
    assert panic.what == f"{warning.what}; then: the kernel gave up: kernel: panic_on_warn set ..."
    assert "ext4_evict" in panic.what
    assert [line.text for line in panic.evidence].count(warning.line.text) == 1


def test_what_led_to_a_panic_may_stand_far_above_it() -> None:
    findings = watch(
        f"{K}rcu: INFO: rcu_preempt self-detected stall on CPU\n"
        + "".join(f"{K} of a long list of tasks: number {number}\n" for number in range(1000))
        + f"{K}Kernel panic - not syncing: RCU Stall\n"
    )
    assert findings[-1].what.endswith("; then: the kernel gave up: RCU Stall")
    assert "did not come back" in findings[-1].what


@pytest.mark.parametrize(
    ("said", "function"),
    [
        ("Oops: Oops: 0002 [#1] SMP\n{K}RIP: 0010:ext4_evict+0x1/0x2\n{K}RIP: 0010:later+0x1/0x2", "ext4_evict"),
        (
            "Internal error: Oops: 0096 [#1] SMP\n{K}pc : smsc95xx_reset.isra.0+0x1c/0x2\n{K}lr : x+0x1/0x2",
            "smsc95xx_reset.isra.0",
        ),
    ],
)
def test_an_oops_names_the_function_at_fault(said: str, function: str) -> None:
    (finding,) = watch(f"{K}{said.format(K=K)}\n{K}Kernel panic - not syncing: Fatal exception\n")
    assert finding.what.endswith(f" (in {function})")


def test_a_dying_disk_is_not_called_a_damaged_root_file_system() -> None:
    findings = watch(
        f"{K}critical medium error, dev mmcblk0, sector 2048 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0\n"
        f"{K}Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(179,2)\n"
    )
    assert findings[-1].what.startswith("the disk does not read or write: critical medium error, dev mmcblk0")


def test_a_panic_of_another_boot_follows_nothing() -> None:
    watcher = CrashWatcher()
    for boot, text in ((1, "WARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2"), (2, "Kernel panic - not syncing: mine")):
        for line in lines(K + text):
            watcher.see(line, boot=boot)
    assert watcher.findings[-1].what == "the kernel gave up: mine"


def test_a_disk_that_cannot_be_read_is_not_called_a_damaged_root_file_system() -> None:
    findings = watch(
        f"{K}I/O error, dev vda, sector 213008 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0\n"
        f"{K}SQUASHFS error: Failed to read block 0x3ff00: -5\n"
    )
    assert findings[-1].what.startswith("the disk does not read or write: I/O error, dev vda, sector 213008")


def test_a_disk_that_is_gone_without_a_word_is_not_called_a_damaged_root_file_system_either() -> None:
    first, second = watch(
        f"{K}Aborting journal on device vda4-8.\n{K}SQUASHFS error: Failed to read block 0x21c04be: -5\n"
    )
    assert first.what.startswith("the file system /perm is damaged, or its disk is gone: ")
    assert second.what == "the disk under the root file system does not read (error -5)"
    [damaged] = watch(
        f"{K}SQUASHFS error: zlib decompression failed, data probably corrupt\n"
        f"{K}SQUASHFS error: Failed to read block 0x21c04be: -5\n"
    )
    assert damaged.what.startswith("the root file system is damaged: zlib")


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("EXT4-fs error (device mmcblk0p4): x", "the file system /perm is damaged, or its disk is gone: "),
        ("EXT4-fs error (device vdb): x", "the file system on vdb is damaged, or its disk is gone: "),
        ("Aborting journal on device sdb1-8.", "the file system on sdb1 is damaged, or its disk is gone: "),
        (
            "EXT4-fs (sdb1): Remounting filesystem read-only",
            "the file system on sdb1 is damaged, or its disk is gone",
        ),
        ("FAT-fs (vda1): FAT read failed (blocknr 33)", "the FAT file system on vda1 is damaged: "),
        ("FAT-fs (vda4): error, fat_get_cluster: x", "the FAT file system on vda4 is damaged: "),
    ],
)
def test_a_file_system_is_named_by_its_device(said: str, what: str) -> None:
    [finding] = watch(f"{K}{said}\n")
    assert finding.what.startswith(what)


def test_a_program_cannot_fake_what_only_the_kernel_says() -> None:
    assert classify("WARNING: something of my own", kernel=False, firmware=False) is None
    assert classify("BUG: in my program", kernel=False, firmware=False) is None


def test_a_program_that_fails_to_load_something_is_no_boot_loader() -> None:
    assert classify("Failed to load config.json: not found", kernel=False, firmware=False) is None
    assert classify("Failed to load config.json: not found", kernel=False, firmware=True) is not None


def test_firmware_failures_are_the_boot_loaders() -> None:
    passed, finding = watch("Booting from Hard Disk...\nBoot failed: not a bootable disk\n\nNo bootable device.\n")
    assert passed.severity is Severity.INFO
    assert finding.error_type is FirmwareFailure
    assert finding.severity is Severity.FATAL
    assert finding.also == []
    assert "Boot failed: not a bootable disk" in finding.error().evidence


def test_a_disk_that_the_bios_passes_over_is_no_failure() -> None:
    findings = watch(
        "Booting from DVD/CD...\nBoot failed: Could not read from CDROM (code 0003)\n\nBooting from Hard Disk...\n"
    )
    assert [one.severity for one in findings] == [Severity.INFO]


def test_shortened_keeps_both_ends() -> None:
    many = [Line(float(n), n, str(n)) for n in range(100)]
    short = shortened(many, 10)
    assert len(short) == 10
    assert (short[0].text, short[-1].text) == ("0", "99")
    assert [line.text for line in short if line.mark] == ["(91 lines left out)"]


def test_an_error_of_the_hardware_names_the_function_that_met_it() -> None:
    (finding,) = watch(
        f"{K}SError Interrupt on CPU3, code 0x00000000be000011 -- SError\n"
        f"{K}CPU: 3 UID: 0 PID: 41 Comm: hello Not tainted 6.12.1 #1 PREEMPT\n"
        f"{K}pc : read_sensor+0x5c/0xd8\n"
        f"{K}Kernel panic - not syncing: Asynchronous SError Interrupt\n"
    )
    assert (finding.name, finding.fatal, finding.also) == ("kernel-oops", True, ["kernel-panic"])
    assert finding.what.endswith("-- SError (in read_sensor)")


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


def test_last_words_are_complete_when_the_kernel_falls_silent() -> None:
    watcher = CrashWatcher()
    for at, text in ((0.0, "Kernel panic - not syncing: sysrq triggered crash"), (0.5, "Call trace:")):
        (line,) = lines(K + text + "\n", at=at)
        watcher.see(line, boot=1)
    watcher.tick(0.5 + PANIC_SILENCE - 0.01)
    assert [one.settled for one in watcher.findings] == [False]
    assert watcher.due() == 0.5 + PANIC_SILENCE
    watcher.tick(0.5 + PANIC_SILENCE)
    assert [one.settled for one in watcher.findings] == [True]
    assert watcher.due() == PANIC_WINDOW


def test_what_comes_late_belongs_to_the_evidence_all_the_same() -> None:
    watcher = CrashWatcher()
    for at, text in ((0.0, "Kernel panic - not syncing: sysrq triggered crash"), (1.9, LAST_WORDS), (1.95, "x")):
        watcher.tick(at)
        (line,) = lines(text if text == LAST_WORDS else K + text + "\n", at=at)
        watcher.see(line, boot=1)
    (finding,) = watcher.findings
    assert "Rebooting in 10 seconds" in finding.evidence[-1].text
    assert watcher.due() is None


def test_a_kernel_that_goes_on_talking_is_not_waited_for_long() -> None:
    watcher = CrashWatcher()
    for tenth in range(30):
        (line,) = lines(f"{K}Kernel panic - not syncing: {tenth}\n", at=tenth / 10)
        watcher.see(line, boot=1)
        watcher.tick(tenth / 10)
    assert watcher.findings[0].settled
    assert watcher.findings[0].evidence[-1].at == PANIC_WINDOW


def test_a_silent_moment_blames_no_appliance_for_qemu() -> None:
    watcher = CrashWatcher(in_many_threads=lambda: True)
    whole = oops("int3", "66 <90>").splitlines(keepends=True)
    for at, texts in ((0.0, whole[:2]), (1.5, whole[2:])):
        watcher.tick(at)
        for line in lines("".join(texts), at=at):
            watcher.see(line, boot=1)
    assert [one.error_type for one in watcher.findings] == [QemuFailed]


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


def test_a_new_pattern_is_one_row() -> None:
    row = Check("disk-on-fire", r"lp0 on (\S+)", "paper burns: {1}", Severity.FATAL, KernelPanic, kernel=True)
    watcher = CrashWatcher(Table((row,)))
    watcher.see(Line(3.0, 0, "[    3.000000] lp0 on fire", kernel=True), boot=1)
    watcher.tick(10.0)
    (found,) = watcher.findings
    assert (found.name, found.what, found.fatal) == ("disk-on-fire", "paper burns: fire", True)
    assert "disk-on-fire" in watcher.table.names
