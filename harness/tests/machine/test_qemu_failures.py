"""Each of QEMU's own failures, caused: a real QEMU, a guest of one sector, and a host that fails it."""

from __future__ import annotations

import copy
import os
import platform
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.boards import board
from harness.errors import (
    AcceleratorFailed,
    Fault,
    HarnessError,
    HostDiskFull,
    HostMemoryShort,
    ImageLocked,
    PortTaken,
    QemuCrashed,
    QemuFailed,
    QmpSilent,
)
from harness.machine.accelerator import DEVICE, Accelerator
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.equipment import Equipment
from harness.machine.machine import Machine
from harness.machine.ports import Port
from harness.machine.qemu import QemuProgram, find_qemu
from harness.machine.run_dir import RunDir
from harness.tests.machine.guests import FILLS_ITS_DISK, IDLES, boot_sector
from harness.tests.machine.specs import machine_of

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")

BOARD = board("pc-bios")
LIMIT = 60.0
SMALL = Equipment(memory=64, cpus=1)
Make = Callable[..., Machine]


@pytest.fixture
def make(run_dir: RunDir, tmp_path: Path) -> Make:
    def made(**given: Any) -> Machine:
        options: dict[str, Any] = {"equipment": SMALL, **given}
        overlay = options.pop("overlay", None) or disk(run_dir, tmp_path)
        return machine_of(BOARD, overlay, run_dir, **options)

    return made


def disk(run_dir: RunDir, tmp_path: Path, program: bytes = IDLES) -> DiskOverlay:
    """A disk of 64 MiB whose first sector is a program."""
    golden = tmp_path / "golden.img"
    if not golden.exists():
        golden.write_bytes(boot_sector(program))
        os.truncate(golden, 64 << 20)
        golden.chmod(0o444)
    return DiskOverlay.create(golden, run_dir.folder("disk", bulky=True))


def wrapped(tmp_path: Path, *lines: str) -> QemuProgram:
    """The real QEMU, started by a script that first changes the world it is in."""
    qemu = find_qemu(BOARD)
    script = tmp_path / "qemu"
    script.write_text("\n".join(["#!/bin/sh -e", *lines, f'exec "{qemu.path}" "$@"']))
    script.chmod(0o700)
    return replace(qemu, path=script)


def until_it_failed(machine: Machine) -> HarnessError:
    """What check() raises once QEMU has reported its trouble."""
    machine.wait_event(lambda _: machine.failure is not None, LIMIT)
    with pytest.raises(HarnessError) as caught:
        machine.check()
    assert caught.value.fault is Fault.HOST
    return caught.value


def test_no_memory(make: Make, tmp_path: Path) -> None:
    short = wrapped(tmp_path, "ulimit -v 3000000")
    make(qemu=short, equipment=SMALL).start()  # the limit leaves room for a small machine
    with pytest.raises(HostMemoryShort) as caught:
        make(qemu=short, equipment=replace(SMALL, memory=4096)).start()
    assert "Cannot allocate memory" in caught.value.evidence
    assert caught.value.hint


def test_the_hosts_disk_is_full(make: Make, tmp_path: Path, run_dir: RunDir) -> None:
    if subprocess.run(["unshare", "--mount", "--map-root-user", "true"], check=False).returncode:
        pytest.skip("this host does not let its users have mount namespaces")
    overlay = disk(run_dir, tmp_path, FILLS_ITS_DISK)
    room = tmp_path / "room"
    room.mkdir()
    small = wrapped(
        tmp_path,
        # A file system of 3 MiB in place of the overlay's folder, seen by this QEMU alone.
        '[ "$INSIDE" ] || INSIDE=1 exec unshare --mount --map-root-user "$0" "$@"',
        f"mount -t tmpfs -o size=3m none {room}",
        f"cp {overlay.path} {room}/",
        f"mount --bind {room} {overlay.path.parent}",
    )
    machine = make(qemu=small, overlay=overlay)
    machine.start()
    error = until_it_failed(machine)
    assert type(error) is HostDiskFull
    assert machine.execute("query-status")["status"] == "io-error"
    machine.stop()


def test_another_qemu_has_the_image(make: Make) -> None:
    first = make()
    first.start_paused()
    stranger = copy.copy(first.overlay)
    stranger.detach()
    with pytest.raises(ImageLocked, match="another process uses the disk image"):
        make(overlay=stranger).start()
    first.stop()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_qemu_crashes_and_its_words_and_signal_are_told(
    make: Make, tmp_path: Path, number: signal.Signals
) -> None:
    machine = make(qemu=wrapped(tmp_path, "echo 'qemu: assertion failed: cpu->halted' >&2"))
    machine.start()
    os.kill(machine.pid, number)
    assert machine.wait_exit(LIMIT) is not None
    error = until_it_failed(machine)
    assert type(error) is QemuCrashed
    assert number.name in error.what
    assert "assertion failed: cpu->halted" in error.evidence


def test_the_out_of_memory_killer_is_not_a_crash(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = make()
    machine.start()
    monkeypatch.setattr("harness.machine.machine.out_of_memory_kills", lambda: 1 << 40)
    os.kill(machine.pid, signal.SIGKILL)
    assert machine.wait_exit(LIMIT) is not None
    assert type(until_it_failed(machine)) is HostMemoryShort


def test_somebody_ends_qemu(make: Make) -> None:
    machine = make()
    machine.start()
    os.kill(machine.pid, signal.SIGTERM)
    assert machine.wait_exit(LIMIT) is not None
    error = until_it_failed(machine)
    assert isinstance(error, QemuFailed)
    assert "another process of this machine ended QEMU" in error.what
    assert f"from pid {os.getpid()}" in error.evidence


def test_qmp_is_silent(make: Make) -> None:
    machine = make()
    machine.start()
    os.kill(machine.pid, signal.SIGSTOP)
    with pytest.raises(QmpSilent, match=r"did not answer the QMP command query-status within 0\.3 s"):
        machine.execute("query-status", timeout=0.3)
    os.kill(machine.pid, signal.SIGCONT)
    assert machine.execute("query-status")["status"] == "running"
    machine.stop()


def test_whoever_waits_for_the_guest_learns_that_qemu_is_silent(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.machine.machine.LOOK", 0.0)
    monkeypatch.setattr("harness.machine.machine.ANSWER_LIMIT", 0.3)
    machine = make()
    machine.start()
    machine.check()
    os.kill(machine.pid, signal.SIGSTOP)
    with pytest.raises(QmpSilent, match=r"within 0\.3 s"):
        machine.check()
    os.kill(machine.pid, signal.SIGCONT)
    machine.stop()


def test_a_port_is_taken(make: Make) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PortTaken):
            make(equipment=replace(SMALL, forwards=(Port(80),)), prefer={Port(80): other.getsockname()[1]}).start()


def test_kvm_says_an_internal_error(make: Make, tmp_path: Path) -> None:
    """QEMU's words for it, as a host with a broken KVM prints them, from a QEMU that was started with KVM."""
    said = "KVM internal error. Suberror: 1"
    qemu = wrapped(
        tmp_path,
        f"echo '{said}' >&2",
        'for a; do shift; case $a in kvm) a=tcg;; host) a=max;; esac; set -- "$@" "$a"; done',
    )
    machine = make(qemu=qemu, accelerator=Accelerator("kvm", "asked for"))
    machine.start()
    os.kill(machine.pid, signal.SIGABRT)
    assert machine.wait_exit(LIMIT) is not None
    error = until_it_failed(machine)
    assert type(error) is AcceleratorFailed
    assert said in error.evidence


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not os.access(DEVICE, os.R_OK | os.W_OK), reason="no /dev/kvm to try"
)
def test_this_hosts_kvm_runs_a_guest_or_is_an_accelerator_failure(make: Make) -> None:
    machine = make(accelerator=Accelerator("kvm", "asked for"))
    failure: HarnessError | None = None
    try:
        machine.start()
        machine.wait_exit(3.0)
        machine.check()
    except HarnessError as error:
        failure = error
    machine.stop()
    assert failure is None or type(failure) is AcceleratorFailed
