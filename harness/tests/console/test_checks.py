"""The table of console checks: each row has a line of a real console, and good lines fit none."""

from __future__ import annotations

import time

import pytest

from harness.console.check import Check, Severity
from harness.console.crashes import CHECKS, OPEN_ENDED, Table
from harness.console.described import tables
from harness.console.findings import CrashWatcher
from harness.console.lines import KERNEL_STAMP
from harness.tests.console.replay import K, lines
from harness.tests.outside import ROOT

OTHER_FORMS = (
    ("root-not-named", K + 'VFS: Cannot open root device "(null)" or unknown-block(0,0): error -6'),
    ("kernel-oops", K + "BUG: kernel NULL pointer dereference, address: 0000000000000000"),
    ("kernel-oops", K + "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000"),
    ("kernel-oops", K + "Internal error: Oops: 0000000096000044 [#1] PREEMPT SMP"),
    ("kernel-oops", K + "kernel BUG at fs/ext4/inode.c:2721!"),
    (
        "timer-starved",
        K + "Kernel panic - not syncing: IO-APIC + timer doesn't work!  Boot with apic=debug and send a report.",
    ),
    ("soft-lockup", K + "watchdog: Watchdog detected hard LOCKUP on cpu 1"),
    ("soft-lockup", K + "watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 1"),
    # Of 6.12 to 7.1, and of kernels with other options or a little older.
    (
        "kernel-oops",
        K + "Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP",
    ),
    (
        "kernel-oops",
        K + "general protection fault, probably for non-canonical address 0xdffffc0000000000: 0000 [#1]",
    ),
    ("kernel-oops", K + "general protection fault: 0000 [#1] SMP KASAN"),
    ("kernel-oops", K + "divide error: 0000 [#1] PREEMPT SMP NOPTI"),
    ("kernel-oops", K + "invalid opcode: 0000 [#1] PREEMPT SMP KASAN"),
    ("kernel-oops", K + "stack segment: 0000 [#1] SMP"),
    ("kernel-oops", K + "traps: PANIC: double fault, error_code: 0x0"),
    ("kernel-oops", K + "Internal error: synchronous external abort: 0000000096000010 [#1] SMP"),
    ("kernel-oops", K + "Internal error: Oops - BUG: 00000000f2000800 [#1]  SMP"),
    (
        "kernel-oops",
        K + "Unable to handle kernel access to user memory outside uaccess routines at virtual address 8",
    ),
    ("kernel-oops", K + "Kernel BUG at skb_push+0x1c/0x28 [verbose debug info unavailable]"),
    ("kernel-panic", K + "Kernel panic - not syncing: Asynchronous SError Interrupt"),
    ("kernel-panic", K + "Kernel panic - not syncing: kernel stack overflow"),
    ("kernel-panic", K + "Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: f+0x1/0x2"),
    ("kernel-bug", K + "BUG: KASAN: slab-use-after-free in l2cap_chan_close+0x1/0x2"),
    ("kernel-bug", K + "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:591"),
    ("kernel-bug", K + "BUG: Bad page state in process hello  pfn:12345"),
    ("kernel-bug", K + "BUG: Dentry 00000000abcd still in use (1) [unmount of tmpfs tmpfs]"),
    ("kernel-bug", K + "IPv6: BUG: Address fc00:: on device lo is missing its host route."),
    (
        "kernel-warning",
        K + "WARNING: [ret < 0] kernel/sched/core.c:8511 at sched_init+0x20/0x410, CPU#0: swapper/0",
    ),
    (
        "kernel-warning",
        K + "WARNING: CPU: 72 PID: 21583 at ./include/linux/scatterlist.h:412 iommu_map_sg+0x4/0xa",
    ),
    ("kernel-bug", K + "BUG at mas_store_check:412 (1)"),
    ("kernel-bug", K + "OF: ERROR: of_node_release() detected bad of_node_put() on /soc/usb@7e980000"),
    ("kernel-bug", K + "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)"),
    (
        "kernel-warning",
        K + "WARNING: kernel stack regs at 00000000c0ffee00 in hello:104 has bad 'bp' value 0000000000000007",
    ),
    (
        "kernel-warning",
        K + "WARNING: kernel stack frame pointer at 00000000c0ffee00 in hello:104 has bad value 0000000000000007",
    ),
    ("kernel-warning", K + "WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected"),
    ("kernel-warning", K + "WARNING: inconsistent lock state"),
    ("kernel-warning", K + "WARNING: bad unlock balance detected!"),
    ("kernel-warning", K + "WARNING: lock held when returning to user space!"),
    ("kernel-warning", K + "INFO: trying to register non-static key."),
    ("soft-lockup", K + "NMI watchdog: Watchdog detected hard LOCKUP on cpu 0"),
    ("soft-lockup", K + "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 168s!"),
    (
        "soft-lockup",
        K + "smp: csd: Detected non-responsive CSD lock (#1) on CPU#2, waiting 5000000021 ns for CPU#00 f+0x0/0x8",
    ),
    (
        "segfault",
        K + "Web Content[104]: segfault at 8 ip 0000000000401000 sp 00007ffe error 4 likely on CPU 1 (core 1)",
    ),
    (
        "segfault",
        K + "hello[104]: unhandled exception: DABT (lower EL), ESR 0x0000000092000005, level 1 translation fault",
    ),
    ("fat-error", K + "FAT-fs (vda1): Directory bread(block 8320) failed"),
    ("usb-dead", K + "xhci_hcd 0000:01:00.0: HC died; cleaning up"),
    ("hardware-error", K + "{1}[Hardware Error]: event severity: recoverable"),
    ("hardware-error", K + "Uhhuh. NMI received for unknown reason 2d on CPU 0."),
    ("hung-task", K + " ?!:18088 blocked for more than 143 seconds."),
    ("no-memory", K + "hello: vmalloc error: size 4096, failed to allocate pages, mode:0xcc0(GFP_KERNEL)"),
    ("no-memory", K + "SLUB: Unable to allocate memory on CPU 0 (of node 0) on node -1, gfp=0x820(GFP_ATOMIC)"),
    ("cpu-missing", K + "CPU1 failed to report alive state"),
    ("cpu-missing", K + "smpboot: do_boot_cpu failed(-1) to wakeup CPU#1"),
    ("cpu-missing", K + "psci: failed to boot CPU1 (-22)"),
    ("cpu-missing", K + "CPU1: is stuck in kernel"),
    ("network-stuck", K + "smsc95xx 1-1.1:1.0 eth0: NETDEV WATCHDOG: CPU: 0: transmit queue 0 timed out 5001 ms"),
    ("network-stuck", K + "igb 0000:00:02.0: Detected Tx Unit Hang"),
    ("network-stuck", K + "e1000e 0000:00:02.0 eth0: Detected Hardware Unit Hang:"),
    ("card-error", K + "mmcblk0: recovery failed!"),
    ("card-error", K + "mmcblk0: error -110 requesting status"),
    ("card-error", K + "mmc0: cache flush error -110"),
    ("card-error", K + "mmc0: card never left busy state"),
    ("card-error", K + "mmc0: Card stuck being busy! __mmc_poll_for_busy"),
    ("io-error", K + "device offline error, dev sda, sector 2048 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0"),
    ("http-panic", "2026/11/21 23:46:27 http: panic serving 10.0.2.2:41344: runtime error: index out of range"),
    ("kernel-bug", K + "BUG task_struct (Tainted: G    B             ): Poison overwritten"),
    ("kernel-bug", K + "BUG: scheduling while atomic: kworker/0:1/12/0x00000002"),
    ("kernel-warning", K + "WARNING: kernel/workqueue.c:3000 at check_flush+0x1/0x2, CPU#1: kworker/1:1/33"),
    ("kernel-warning", K + "WARNING: at check_flush+0x1/0x2, CPU#1: kworker/1:1/33"),
    ("kernel-warning", K + "WARNING: possible circular locking dependency detected"),
    ("kernel-warning", K + "WARNING: suspicious RCU usage"),
    ("rcu-stall", K + "INFO: rcu_tasks detected stalls on tasks:"),
    ("rcu-stall", K + "rcu: rcu_preempt kthread starved for 5252 jiffies! g-1195 f0x0 RCU_GP_WAIT_FQS(5)"),
    ("rcu-stall", K + "rcu: rcu_preempt kthread timer wakeup didn't happen for 5251 jiffies!"),
    ("rcu-stall", K + "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:"),
    ("rcu-stall", K + "rcu: INFO: rcu_sched self-detected stall on CPU"),
    ("hung-task", K + "INFO: task kworker/u8:2:161 blocked in I/O wait for more than 120 seconds."),
    ("hung-task", K + "INFO: task hello:104 blocked  for more than 120 seconds."),
    ("hung-task", K + "INFO: task Web Content:104 blocked for more than 120 seconds."),
    ("oom-kill", K + "Out of memory: Killed process 105 (Web Content) total-vm:1234kB, anon-rss:1kB"),
    ("oom-kill", K + "Memory cgroup out of memory: Killed process 105 (tmux: server) total-vm:1234kB"),
    ("oom-kill", K + "Out of memory (oom_kill_allocating_task): Killed process 105 (leaker) total-vm:1234kB"),
    ("cpu-missing", K + "CPU1: failed to boot: -110"),
    ("network-stuck", K + "unregister_netdevice: waiting for eth0 to become free. Usage count = 2"),
    ("io-error", K + "critical target error, dev vda, sector 2048 op 0x1:(WRITE) flags 0x0 phys_seg 1"),
    ("segfault", K + "traps: hello[104] general protection fault ip:401000 sp:7ffe error:0 in hello[401000]"),
    ("io-error", K + "I/O error, dev vda, sector 213008 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0"),
    ("io-error", K + "Buffer I/O error on dev vda2, logical block 0, async page read"),
    ("io-error", K + "attempt to access beyond end of device"),
    ("ext4-error", K + "EXT4-fs error (device vda4): ext4_lookup:1855: inode #2: comm hello: deleted inode"),
    ("fat-error", K + "FAT-fs (vda1): error, fat_get_cluster: invalid cluster chain (i_pos 0)"),
    ("reboot-failed", "2026/11/21 23:46:27 could not reboot: operation not permitted"),
    ("go-panic", "fatal error: all goroutines are asleep - deadlock!"),
    ("switch-failed", '2026/11/21 23:46:27 enabling test-boot of new root partition "3" failed: x'),
    ("boot-disk-passed-over", "Boot failed: Could not read from CDROM (code 0003)"),
    ("nothing-to-boot", "BdsDxe: No bootable option or device was found."),
    ("nothing-to-boot", "UEFI Interactive Shell v2.2"),
    ("nothing-to-boot", "Shell> "),
    ("boot-menu", "   Reboot Into Firmware Interface   "),
    ("boot-loader-failed", "Failed to execute Linux (\\vmlinuz): Load Error"),
    ("boot-loader-failed", "EFI stub: ERROR: Failed to handle fs_proto"),
    ("boot-loader-failed", 'BdsDxe: failed to start Boot0002 "UEFI Misc Device" from PciRoot(0x0): Unsupported'),
    ("firmware-crash", "systemd-boot@0x5c7a1000 120: Assertion 'p' failed at src/boot/efi/util.c:42, function f."),
    ("firmware-crash", "Synchronous Exception at 0x000000005C7A1000"),
    ("kernel-damaged", " -- System halted"),
)

GOOD = (
    K + "INFO: task hello:104 is blocked on a mutex likely owned by task init:1.",
    K + "xhci_hcd 0000:00:03.0: xHCI Host Controller",
    K + "kmemleak: Kernel memory leak detector initialized (mem pool available: 15679)",
    K + "RAS: Correctable Errors collector initialized.",
    K + "FAT-fs (vda1): Volume was not properly unmounted. Some data may be corrupt. Please run fsck.",
    K + "Kernel command line: console=ttyS0,115200 init=/gokrazy/init panic=10 oops=panic",
    K + "EXT4-fs (vda4): mounted filesystem 5d3a r/w with ordered data mode. Quota mode: none.",
    K + "EXT4-fs (vda4): recovery complete",
    K + "EXT4-fs (vda4): VFS: Can't find ext4 filesystem",
    K + 'PCI: Using host bridge windows from ACPI; if necessary, use "pci=nocrs" and report a bug',
    K + "reg-fixed-voltage cam1_regulator: error -EIO: can't get GPIO",
    K + "rcu: Hierarchical SRCU implementation.",
    K + "I/O error, dev sr0, sector 0 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2",
    K + "critical target error, dev sr0, sector 0 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2",
    K + "I/O error, dev mtdblock0, sector 0 op 0x0:(READ) flags 0x80700 phys_seg 4 prio class 2",
    K + "Buffer I/O error on dev mtdblock0, logical block 0, async page read",
    K + "SQUASHFS error: Xattrs in filesystem, these will be ignored",
    K + "ODEBUG: Out of memory. ODEBUG disabled",
    K + "EDAC DEBUG: edac_mc_alloc",
    K + "exFAT-fs (sda1): error, invalid boot record signature",
    K + "WARNING: Spectre v2 mitigation leaves CPU vulnerable to RETBleed attacks, data leaks possible!",
    K + "WARNING: arch/arm64/mm/ioremap.c:18 at ioremap_prot+0x54/0x60, CPU#0: swapper/0/1",
    K + "mmc1: Timeout waiting for hardware interrupt.",
    K + "WARNING: Unprivileged eBPF is enabled, data leaks possible via Spectre v2 BHB attacks!",
    K + "operation not supported error, dev loop0, sector 8 op 0x9:(WRITE_ZEROES) flags 0x0 phys_seg 0",
    K + "INFO: lockdep is turned off.",
    K + "workqueue: vmstat_update hogged CPU for >10000us 4 times, consider switching to WQ_UNBOUND",
    K
    + "clocksource: timekeeping watchdog on CPU0: Marking clocksource 'tsc' as unstable because the skew is large",
    K + "hrtimer: interrupt took 21339417 ns",
    K + "traps: 3 unhandled",
    K + "thermal thermal_zone0: trip 0: 0000 [mC]",
    K + "raspberrypi-firmware soc:firmware: Attached to firmware from 2026-01-01T10:00:00",
    "2026/11/22 00:07:42 gokrazy.go:233: loading modules: open /lib/modules/7.1.2/x.ko: no such file or directory",
    "2026/11/22 00:07:45 listeners.go:115: listen: listen tcp [fe80::1%eth0]:80: bind: cannot assign address",
    K + "mmc1: error -110 whilst initialising SDIO card",
    K + "rcu: \tRCU event tracing is enabled.",
    "2026/11/21 23:46:27 update.go:398: unmounting /perm failed: invalid argument",
    'BdsDxe: failed to load Boot0001 "UEFI QEMU DVD-ROM QM00005 " from PciRoot(0x0)/Pci(0x1F,0x2): Not Found',
    'BdsDxe: starting Boot0002 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x3,0x0)',
    "2026/11/22 00:07:45 listeners.go:143: serving on 10.0.2.15:80: http: Server closed",
    "2026/11/22 00:07:45 listeners.go:143: serving on [fe80::1%eth0]:80: http: Server closed",
    "2026/11/22 rootdev.go:60: findGPTPartUUID: open /dev/sr0: no medium found",
    "EFI stub: ERROR: FIRMWARE BUG: kernel image not aligned on 64k boundary",
    "EFI stub: ERROR: FIRMWARE BUG: efi_loaded_image_t::image_base has bogus value",
    "EFI stub: ERROR: efi_get_random_bytes() failed (0x8000000000000007)",
    "EFI stub: ERROR: Invalid header detected on UEFI supplied FDT, ignoring ...",
    "EFI stub: ERROR: Could not determine UEFI Secure Boot status.",
    "EFI stub: ERROR: Failed to install memreserve config table!",
)


classify = Table().classify


def is_kernel(text: str) -> bool:
    return KERNEL_STAMP.match(text) is not None


def example(check: Check) -> str:
    return check.example if check.kernel is False or check.firmware else K + check.example


@pytest.mark.parametrize(("name", "text"), OTHER_FORMS)
def test_a_line_is_recognised(name: str, text: str) -> None:
    found = classify(text, kernel=is_kernel(text), firmware=True)
    assert found is not None
    assert found[0].name == name


@pytest.mark.parametrize("text", GOOD)
def test_a_good_line_is_left_alone(text: str) -> None:
    assert classify(text, kernel=is_kernel(text), firmware=True) is None


def test_every_fatal_check_says_what_to_do() -> None:
    assert [check.name for check in CHECKS if (check.severity is Severity.FATAL) != bool(check.hint)] == []


@pytest.mark.parametrize("check", CHECKS, ids=[check.name for check in CHECKS])
def test_every_check_finds_its_example_and_none_before_it_does(check: Check) -> None:
    text = example(check)
    found = classify(text, kernel=is_kernel(text), firmware=check.firmware)
    assert found is not None
    assert found[0] is check


def test_there_is_a_name_for_all_that_can_be_allowed() -> None:
    assert {check.name for check in CHECKS} == Table().names - OPEN_ENDED


@pytest.mark.skipif(not (ROOT / "README.md").is_file(), reason="not a clone: there are no docs")
def test_the_tables_of_the_documentation_are_these() -> None:
    assert tables() in (ROOT / "docs" / "console.md").read_text()


@pytest.mark.parametrize(("name", "text"), [*((one.name, example(one)) for one in CHECKS), *OTHER_FORMS])
def test_every_meaning_can_be_said(name: str, text: str) -> None:
    watcher = CrashWatcher()
    for line in lines(text):
        watcher.see(line, boot=1, firmware=True)
    watcher.tick(1000.0)
    assert [finding.name for finding in watcher.findings] == [name]
    assert "{" not in watcher.findings[0].what


def _seconds(check: Check, text: str) -> float:
    """Processor seconds of one search, the least of three."""
    took = []
    for _ in range(3):
        began = time.thread_time()
        check.regex.search(text)
        took.append(time.thread_time() - began)
    return min(took)


@pytest.mark.parametrize("check", CHECKS, ids=[check.name for check in CHECKS])
@pytest.mark.parametrize("filler", ["x", "x ", "-", "1", "a:", "a/", "a-b"])
def test_a_line_four_times_as_long_takes_no_sixteen_times_as_long(check: Check, filler: str) -> None:
    # A line without any of these words is not looked at.
    for word in check.words or [""]:
        took = _seconds(check, f"{word}{filler * 6000}")
        assert took < 0.005 or took < 9 * _seconds(check, f"{word}{filler * 1500}"), word
