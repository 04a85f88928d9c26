"""What the kernel said before a failure comes first where it explains the failure."""

from __future__ import annotations

from typing import Any

import pytest

from harness.console.causes import explain
from harness.console.findings import CrashWatcher, Finding
from harness.console.lines import Line
from harness.errors import ApplianceFault, DeviceUnreachable, HostDiskFull, OptionError, WaitTimeout

MEMORY: dict[str, Any] = {"memory": 512, "more": " (--gk-memory 1024 gives it more)"}


def found(*said: str) -> list[Finding]:
    watcher = CrashWatcher()
    for number, text in enumerate(said):
        watcher.see(Line(20.0 + number, number, f"[   {number}.000000] {text}", kernel=True), boot=1)
    watcher.tick(100.0, settle=True)
    return watcher.findings


KILLED = "Out of memory: Killed process 161 (hungry) total-vm:1954456kB, anon-rss:411648kB"
SILENT = "GET /log of /user/hungry: the device did not answer"


def test_a_kill_for_want_of_memory_is_said_before_the_wait_that_it_broke() -> None:
    error = DeviceUnreachable(SILENT, where="http://127.0.0.1:1", hint="is it up?", evidence="nothing came")
    explain(error, found(KILLED), **MEMORY)
    first, *_ = str(error).splitlines()
    assert first.startswith(
        "memory ran out and the kernel killed a program: Out of memory: Killed process 161 (hungry)"
    )
    assert first.endswith(f"(20.0 s after power-on); then: {SILENT}")
    assert error.hint == "the machine has 512 MiB of memory (--gk-memory 1024 gives it more); is it up?"
    assert KILLED in error.evidence
    assert "nothing came" in error.evidence


def test_what_a_test_asserts_is_explained_too() -> None:
    error = AssertionError("assert 'it was started 2 times' == ''")
    explain(error, found(KILLED), **MEMORY)
    first, last = str(error).splitlines()
    assert "memory ran out" in first
    assert "--gk-memory 1024" in first
    assert last == "assert 'it was started 2 times' == ''"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("I/O error, dev vda, sector 2048 op 0x0:(READ)", "the disk does not read or write"),
        ("EXT4-fs error (device vda4): ext4_lookup:1858: inode #2: comm hello: iget", "/perm is damaged"),
        ("watchdog: BUG: soft lockup - CPU#0 stuck for 26s!", "a processor was stuck"),
        ("INFO: task hello:161 blocked for more than 120 seconds.", "blocked for more than 120 seconds"),
    ],
)
def test_other_troubles_of_the_kernel_explain_a_wait_as_well(said: str, expected: str) -> None:
    error = WaitTimeout("waited 30 s for the services to settle")
    explain(error, found(said), **MEMORY)
    assert expected in error.what.partition("; then: ")[0]


def test_the_first_cause_is_named_and_only_once() -> None:
    error = WaitTimeout("waited 30 s")
    findings = found("I/O error, dev vda, sector 2048", KILLED)
    explain(error, findings, **MEMORY)
    once = str(error)
    explain(error, findings, **MEMORY)
    assert str(error) == once
    assert "I/O error" in error.what
    assert "memory ran out" not in error.what


@pytest.mark.parametrize("error", [HostDiskFull("no room"), OptionError("no board"), KeyError("x"), None])
def test_what_is_not_the_appliances_fault_is_left_as_it_is(error: BaseException | None) -> None:
    before = str(error)
    explain(error, found(KILLED), **MEMORY)
    assert str(error) == before


def test_what_explains_nothing_changes_nothing() -> None:
    error = ApplianceFault("waited 30 s")
    explain(error, found("BUG: a bug of no consequence", "usb 1-1: new device"), **MEMORY)
    assert error.what == "waited 30 s"


MIB = 1 << 20


@pytest.mark.parametrize(
    "error", [DeviceUnreachable("GET /: no answer in time"), WaitTimeout("waited 30 s")], ids=repr
)
def test_a_device_that_falls_silent_while_its_memory_runs_out_is_explained_by_that(error: ApplianceFault) -> None:
    said = error.what
    explain(error, [], (40 * MIB, 456 * MIB), **MEMORY)
    assert error.what == f"memory runs out: 40 of 456 MiB were left when the device last answered; then: {said}"
    assert "--gk-memory 1024" in error.hint


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (DeviceUnreachable("x"), (200 * MIB, 456 * MIB)),
        (DeviceUnreachable("x"), None),
        (ApplianceFault("x"), (1, 456)),
    ],
)
def test_memory_explains_nothing_where_there_is_enough_or_the_device_answers(
    error: ApplianceFault, left: tuple[int, int] | None
) -> None:
    explain(error, [], left, **MEMORY)
    assert error.what == "x"


def test_what_the_kernel_said_comes_before_what_memory_there_was() -> None:
    error = DeviceUnreachable(SILENT)
    explain(error, found(KILLED), (1, 456 * MIB), **MEMORY)
    assert error.what.startswith("memory ran out and the kernel killed")
