"""Kernels that print no times before their lines, and texts that look like a kernel's and are none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.console.check import Severity
from harness.console.console import Console
from harness.console.lines import KERNEL_STAMP
from harness.errors import KernelPanic
from harness.tests.console.replay import LAST_WORDS, LINUX, PANIC, UP, K, machine, recorded, replay

BARE = "Linux version 6.12.1 (me@here) (gcc) #1 SMP\r\nKernel command line: console=ttyS0 printk.time=0\r\n"
INIT = "Run /gokrazy/init as init process\r\ngokrazy build timestamp 2026-11-21T23:28:07Z\r\n"
STAMPED_INIT = f"{K}Run /gokrazy/init as init process\r\ngokrazy build timestamp 2026-11-21T23:28:07Z\r\n"
SPEAKS = "2026/11/22 00:06:45 relay.go:3: the other machine: "


def without_times(data: bytes) -> bytes:
    return re.sub(KERNEL_STAMP.pattern.encode(), b"", data)


def with_callers(data: bytes) -> bytes:
    """As a kernel prints it that was built with CONFIG_PRINTK_CALLER and without CONFIG_PRINTK_TIME."""
    return re.sub(rb"\[ *(\d+)\.\d{6}\] ", lambda time: b"[    T0] " if time[1] == b"0" else b"[  T104] ", data)


def found(console: Console) -> list[str]:
    return [one.name for one in console.findings]


@pytest.mark.parametrize(
    "name",
    ["boot-pc-uefi-amd64", "boot-raspi3b", "boot-rpi-kernel-on-virt", "boot-virt-uefi-arm64"],
)
def test_a_clean_boot_without_times_is_one_boot_with_no_finding(console: Console, name: str) -> None:
    replay(console, without_times(recorded(name)))
    assert console.unclean() == []
    (boot,) = console.boots
    assert boot.ready
    assert boot.slot == "A"


def test_an_update_without_times_is_two_boots(console: Console) -> None:
    replay(console, without_times(recorded("update-flip-kexec-pc-bios")))
    assert [boot.slot for boot in console.boots] == ["A", "B"]
    assert console.unclean() == []


@pytest.mark.parametrize("name", ["boot-pc-uefi-amd64", "boot-virt-uefi-arm64", "update-flip-kexec-pc-bios"])
def test_a_kernel_that_prints_callers_and_no_times_is_read_as_one_with_times(tmp_path: Path, name: str) -> None:
    seen: list[object] = []
    for data in (recorded(name), with_callers(recorded(name))):
        console = Console(tmp_path / str(len(seen)))
        replay(console, data)
        seen.append(
            (found(console), [(boot.slot, boot.ready, boot.cmdline, set(boot.at)) for boot in console.boots])
        )
        console.close()
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", ["boot-virt-uefi-arm64", "update-flip-kexec-pc-bios", "panic-no-init-arm64"])
def test_levels_before_the_times_change_nothing(tmp_path: Path, name: str) -> None:
    """As a kernel prints it whose command line has console_msg_format=syslog."""
    seen: list[object] = []
    levels = re.sub(rb"\[ *\d+\.\d{6}\] ", lambda time: b"<6>" + time[0], recorded(name))
    for data in (recorded(name), levels):
        console = Console(tmp_path / str(len(seen)))
        replay(console, data)
        seen.append([(line.text, line.kernel) for line in console.lines()])
        console.close()
    assert seen[0] == seen[1]


@pytest.mark.parametrize("stamp", ["[  T292] ", "[T16664] ", "[    C1] "])
def test_a_kernel_that_prints_callers_and_no_times_is_judged(console: Console, stamp: str) -> None:
    early = f"{LINUX}{K[:-1]}[    T0] Kernel command line: console=ttyS0 printk.time=0\r\n"
    said = f"{early}{INIT}hello is in a li{stamp}kernel BUG at net/core/dev.c:6539!\r\nne of its own\r\n"
    replay(console, said.encode())
    assert found(console) == ["kernel-oops"]
    assert not console.boots[0].bare
    assert "hello is in a line of its own" in [line.text for line in console.lines()]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kernel-oops", "BUG: kernel NULL pointer dereference, address: 0000000000000000"),
        ("kernel-oops", "Internal error: Oops: 0000000096000044 [#1] PREEMPT SMP"),
        ("soft-lockup", "watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [hello:104]"),
        ("kernel-warning", "WARNING: CPU: 1 PID: 33 at kernel/workqueue.c:3000 check_flush+0x1/0x2"),
        ("hung-task", "INFO: task hello:104 blocked for more than 120 seconds."),
        ("segfault", "hello[104]: segfault at 0 ip 0000000000401000 sp 00007ffe error 4 in hello[401000+1000]"),
        ("io-error", "I/O error, dev vda, sector 213008 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0"),
        ("go-panic", "panic: runtime error: index out of range [3] with length 3"),
    ],
)
def test_a_kernel_without_times_is_judged(console: Console, name: str, text: str) -> None:
    replay(console, f"{BARE}{INIT}{text}\r\n".encode())
    assert found(console) == [name]


def test_a_warning_without_times_explains_its_panic(console: Console) -> None:
    replay(
        console,
        (
            f"{BARE}{INIT}WARNING: fs/ext4/inode.c:12 at ext4_evict+0x1/0x2, CPU#0: hello/104\r\n"
            "Call Trace:\r\n ext4_evict+0x1\r\nKernel panic - not syncing: kernel: panic_on_warn set ...\r\n"
        ).encode(),
    )
    with pytest.raises(KernelPanic, match=r"ext4_evict.*panic_on_warn") as raised:
        console.check()
    assert "Call Trace:" in raised.value.evidence


@pytest.mark.parametrize(
    "text",
    [
        "Kernel panic - not syncing: its own",
        "BUG: kernel NULL pointer dereference, address: 0000000000000000",
        "INFO: task hello:104 blocked for more than 120 seconds.",
    ],
)
def test_a_program_beside_a_kernel_without_times_only_quotes(console: Console, text: str) -> None:
    replay(console, f"{BARE}{INIT}{SPEAKS}{text}\r\n".encode())
    assert found(console) == []


def test_a_machine_with_times_is_not_our_kernel_without(console: Console) -> None:
    replay(console, f"{BARE}{INIT}{LINUX}{PANIC}{LAST_WORDS}".encode())
    assert found(console) == []
    assert len(console.boots) == 1


def test_a_console_from_before_the_options_were_read_may_have_times(console: Console) -> None:
    early = f"{LINUX}{K}Kernel command line: earlycon printk.time=0\r\n{INIT}"
    replay(console, f"{early}BUG: kernel NULL pointer dereference, address: 0\r\n".encode())
    assert found(console) == ["kernel-oops"]
    assert console.boots[0].bare


def test_dmesg_typed_by_hand_is_no_boot_and_no_loop(console: Console) -> None:
    booted = f"{LINUX}{STAMPED_INIT}"
    with machine(console) as fake:
        fake.say(f"{booted}{LINUX}{K}Run /gokrazy/init as init process\r\n{LINUX * 5}")
    console.check()
    assert len(console.boots) == 1


def test_a_start_that_nobody_announced_is_seen_by_init_s_word(console: Console) -> None:
    cmdline = f"{K}Kernel command line: root=PARTUUID=60c24cc1-f3f9-427a-8199-386f27b50001/PARTNROFF=%d ro\r\n"
    up = f"{STAMPED_INIT}{UP}"
    replay(console, f"{LINUX}{cmdline % 1}{up}{LINUX}{cmdline % 2}{up}".encode())
    assert [(boot.kernel, boot.slot, boot.ready) for boot in console.boots] == [
        ("7.1.3", "A", True),
        ("7.1.3", "B", True),
    ]


@pytest.mark.parametrize("words", ["Kernel panic - not syncing: its own", "SQUASHFS error: its own"])
def test_a_service_that_writes_to_the_kernel_s_log_only_quotes(console: Console, words: str) -> None:
    replay(console, f"{LINUX}{STAMPED_INIT}{K}relay: {words}\r\n{K}relay: Linux version 6.1.0 (x)\r\n".encode())
    assert [one for one in console.findings if one.severity is Severity.FATAL] == []
    assert len(console.boots) == 1


@pytest.mark.parametrize(
    "words", ["Kernel panic - not syncing: sysrq triggered crash", "SQUASHFS error: unable to read id index table"]
)
def test_what_a_program_prints_beside_a_kernel_with_times_only_quotes(console: Console, words: str) -> None:
    replay(console, f"{LINUX}{STAMPED_INIT}/ # cat /perm/last-crash.txt\r\n{words}\r\n".encode())
    assert found(console) == []


def test_a_kernel_of_which_nothing_was_heard_may_print_no_times(console: Console) -> None:
    init = "gokrazy build timestamp 2026-11-21T23:28:07Z\r\n"
    replay(console, f"{init}Kernel panic - not syncing: its own\r\n".encode())
    assert found(console) == ["kernel-panic"]


def test_the_next_kernel_may_print_no_times_and_nothing_before_its_panic(console: Console) -> None:
    gone = f"{LINUX}{STAMPED_INIT}{K}kexec_core: Starting new kernel\r\n"
    replay(console, f"{gone}Kernel panic - not syncing: its own\r\n".encode())
    assert found(console) == ["kernel-panic"]


def test_a_panic_that_cuts_a_line_of_the_kernel_counts(console: Console) -> None:
    replay(console, f"{LINUX}{K}virtio_blk virtio1: [vd{PANIC}{LAST_WORDS}".encode())
    assert found(console) == ["kernel-panic"]
