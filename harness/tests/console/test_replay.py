"""The real consoles, played through a socket."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.console.check import Severity
from harness.console.console import Console
from harness.console.findings import CrashWatcher
from harness.console.lines import LineSplitter
from harness.console.phases import Cause, Phase, PhaseWatcher
from harness.errors import FirmwareFailure, InitFailure, KernelPanic
from harness.tests.console.replay import DATA, recorded, replay

CLEAN = (
    "boot-pc-uefi-amd64",
    "boot-raspi3b",
    "boot-rpi-kernel-on-virt",
    "boot-virt-uefi-arm64",
    "update-flip-kexec-pc-bios",
)
CRASHED = {
    "panic-no-init-arm64": ("init-missing", InitFailure, "/nope is not in the root file system"),
    "panic-no-root-arm64": ("root-not-found", KernelPanic, "386f27b50001/PARTNROFF=1"),
    "wrong-arch-amd64-kernel-arm64-root": ("init-not-executable", InitFailure, "another architecture"),
}
FIRMWARE = {
    "bios-empty-disk": "nothing that it could boot: No bootable device.",
    "uefi-empty-disk": "UEFI Interactive Shell",
    "uefi-no-kernel": "systemd-boot has no kernel to start",
    "uefi-damaged-kernel": r"could not start the kernel: Error loading \vmlinuz: Unsupported",
}


@pytest.mark.parametrize("name", FIRMWARE)
def test_firmware_that_starts_no_kernel_is_told(console: Console, name: str) -> None:
    replay(console, recorded(name), 100)

    assert console.boots == []
    with pytest.raises(FirmwareFailure) as raised:
        console.check()
    assert FIRMWARE[name] in raised.value.what


def test_every_recorded_console_is_judged() -> None:
    assert {path.stem for path in DATA.glob("*.log")} == {*CLEAN, *CRASHED, *FIRMWARE}


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_boot_has_no_finding(console: Console, name: str) -> None:
    replay(console, recorded(name))

    console.check()
    assert console.unclean() == []
    assert {finding.name for finding in console.findings} == {"perm-not-mounted"}


@pytest.mark.parametrize("name", CRASHED)
def test_a_crash_is_named_with_its_last_words(console: Console, name: str) -> None:
    check, error, words = CRASHED[name]
    replay(console, recorded(name))

    [crash] = [finding for finding in console.findings if finding.severity is Severity.FATAL]
    assert crash.name == check
    with pytest.raises(error) as raised:
        console.check()
    assert words in raised.value.what
    assert "Kernel panic - not syncing" in raised.value.evidence
    assert "all trace" in raised.value.evidence.lower()
    assert raised.value.evidence.splitlines()[-1].endswith("Rebooting in 10 seconds..")


@pytest.mark.parametrize("name", CLEAN)
def test_a_boot_reaches_all_phases_in_order(console: Console, name: str) -> None:
    replay(console, recorded(name))

    boot = console.boots[0]
    awaited = [Phase.KERNEL, Phase.ROOT, Phase.INIT, Phase.BUILD, Phase.HOSTNAME, Phase.UPDATER, Phase.HTTP]
    times = [boot.at[phase] for phase in awaited]
    assert times == sorted(times)
    assert (boot.cause, boot.slot, boot.inactive) == (Cause.POWER_ON, "A", 3)
    assert boot.http == ("10.0.2.15:80",)


def test_an_update_shows_as_kexec_into_the_other_slot(console: Console) -> None:
    replay(console, recorded("update-flip-kexec-pc-bios"))

    first, second = console.boots
    assert (first.slot, first.build) == ("A", "2026-11-21T23:22:48Z")
    assert {Phase.SHUTDOWN, Phase.KEXEC} <= set(first.at)
    assert (second.cause, second.slot, second.build) == (Cause.KEXEC, "B", "2026-11-21T23:46:18Z")
    assert (second.inactive, second.root_device, second.hostname) == (2, "253:3", "amd")
    assert second.asked
    assert second.cmdline.startswith("console=tty1 console=ttyS0,115200 root=PARTUUID=60c24cc1")
    assert second.cmdline.endswith("pci=nommconf")


def test_firmware_and_boot_loader_come_before_the_kernel(console: Console) -> None:
    replay(console, recorded("boot-virt-uefi-arm64"))

    boot = console.boots[0]
    assert boot.at[Phase.FIRMWARE] <= boot.at[Phase.LOADER] <= boot.at[Phase.KERNEL]


def outcome(data: bytes, cuts: list[int]) -> tuple[object, ...]:
    """What the watchers say when the stream comes in these pieces."""
    splitter, crashes, phases = LineSplitter(), CrashWatcher(), PhaseWatcher()
    phases.machine_started(Cause.POWER_ON, 0.0)
    lines = []
    edges = [0, *sorted(cuts), len(data)]
    for begin, end in itertools.pairwise(edges):
        lines += splitter.feed(data[begin:end], offset=begin, at=0.0)
    lines += splitter.close(offset=len(data), at=0.0)
    for line in lines:
        phases.see(line)
        crashes.see(line, boot=len(phases.boots), firmware=phases.in_firmware)
    return lines, phases.boots, crashes.findings


@pytest.mark.parametrize("name", ["boot-pc-uefi-amd64", "panic-no-root-arm64"])
def test_chunks_change_nothing(name: str) -> None:
    data = recorded(name)
    whole = outcome(data, [])

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
    @given(st.lists(st.integers(0, len(data)), max_size=300))
    def check(cuts: list[int]) -> None:
        assert outcome(data, cuts) == whole

    check()
    assert outcome(data, list(range(len(data)))) == whole


@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_chunks_change_nothing_over_a_socket(tmp_path: Path, chunk: int) -> None:
    data = recorded("panic-no-init-arm64")
    console = Console(tmp_path)
    replay(console, data, chunk)

    assert [finding.name for finding in console.findings] == ["init-missing"]
    assert [boot.kernel for boot in console.boots] == ["7.1.3"]
    console.close()
    assert (tmp_path / "console.log").read_bytes() == data
