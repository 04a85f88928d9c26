"""What runs the guest's processors: KVM only when it has been seen to run a kernel of this board, else TCG.

A device node that exists and opens says nothing: there are hosts whose KVM runs SeaBIOS and then dies with an
internal error while the kernel unpacks itself. So the board's own kernel is started and must be heard.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.boards import Board
from harness.errors import HostFault
from harness.lifetime.process import GuardedProcess
from harness.machine.qemu import QemuProgram
from harness.machine.run_dir import RunDir

AcceleratorName = Literal["tcg", "kvm"]
Mode = Literal["auto", "tcg", "kvm"]

DEVICE = Path("/dev/kvm")
SIGN_OF_LIFE = b"Linux version"
PROBE_LIMIT = 20.0
"""Seconds for the kernel's first line: a working KVM needs less than two."""
LOOK = 0.25
KVM_FACTOR = 0.5
RECORDING_FACTOR = 8.0
"""Counted instructions, one processor: a boot was seen to take five times as long as without."""
CONSOLE_FD = 3
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Accelerator:
    """An accelerator, why it was chosen, and how long things take compared to TCG (1.0; less is faster)."""

    name: AcceleratorName
    reason: str
    factor: float = 1.0


@dataclass(frozen=True)
class Trial:
    """Whether KVM ran the kernel, and what was seen."""

    works: bool
    seen: str


TCG = Accelerator("tcg", "asked for")
RECORDING = Accelerator("tcg", "QEMU records with nothing else", RECORDING_FACTOR)


def choose(
    mode: Mode,
    board: Board,
    *,
    qemu: QemuProgram,
    run_dir: RunDir,
    kernel: Callable[[], Path] | None = None,
    cache: Path | None = None,
    device: Path = DEVICE,
) -> Accelerator:
    """Choose the accelerator for a board; ``cache`` is a folder for the answer.

    ``kernel`` gets its image's vmlinuz, and is called only when KVM has to be tried. The answer holds until this
    host is booted again or QEMU changes. Raises HostFault when ``kvm`` was asked for and does not work.
    """
    if mode == "tcg":
        return TCG
    trial = _try_kvm(board, qemu, run_dir, kernel, cache, device)
    if trial.works:
        return Accelerator("kvm", trial.seen, KVM_FACTOR)
    if mode == "kvm":
        raise HostFault(
            f"KVM was asked for, but it does not work here for the board {board.name}",
            where=str(device),
            hint="use the accelerator auto or tcg",
            evidence=trial.seen,
        )
    return Accelerator("tcg", f"no KVM: {trial.seen}")


def _try_kvm(
    board: Board,
    qemu: QemuProgram,
    run_dir: RunDir,
    kernel: Callable[[], Path] | None,
    cache: Path | None,
    device: Path,
) -> Trial:
    machine = platform.machine()
    if machine != board.architecture.machine:
        return Trial(False, f"this host is {machine}, the board is {board.arch}")
    if not device.exists():
        return Trial(False, f"{device} does not exist")
    if not os.access(device, os.R_OK | os.W_OK):
        return Trial(False, f"{device} may not be opened by this user")
    record = None if cache is None else cache / f"kvm-{_key(board, qemu)}.json"
    if record is not None and (known := _recall(record)) is not None:
        return known
    if kernel is None:
        return Trial(False, "there is no kernel to try it with, and the device node proves nothing")
    trial = probe(board, qemu, run_dir, kernel())
    if record is not None:
        _remember(record, trial)
    return trial


def forget(board: Board, qemu: QemuProgram, cache: Path, seen: str) -> None:
    """Record that KVM failed later on: it is not used again until this host is booted anew."""
    _remember(cache / f"kvm-{_key(board, qemu)}.json", Trial(False, seen))


def probe(board: Board, qemu: QemuProgram, run_dir: RunDir, kernel: Path) -> Trial:
    """Start the kernel under KVM and wait for its first line on the console."""
    here, there = socket.socketpair()
    argv = [
        str(qemu.path), "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
        "-machine", board.machine, "-accel", "kvm", "-cpu", "host", "-m", str(board.memory), "-smp", "1",
        "-chardev", f"socket,id=console,fd={CONSOLE_FD}", "-serial", "chardev:console",
        "-kernel", str(kernel), "-append", f"console={board.console} panic=-1",
    ]  # fmt: skip
    began = time.monotonic()
    process = run_dir.guard.spawn(argv, [there])
    try:
        return _watch_probe(process, here, began)
    finally:
        here.close()
        process.signal(signal.SIGKILL)
        process.wait(PROBE_LIMIT)


def _watch_probe(process: GuardedProcess, console: socket.socket, began: float) -> Trial:
    console.settimeout(LOOK)
    said = b""
    while (took := time.monotonic() - began) < PROBE_LIMIT:
        try:
            data = console.recv(65536)
        except TimeoutError:
            data = None
        except ConnectionError:
            data = b""
        said += data or b""
        if SIGN_OF_LIFE in said:
            return Trial(True, f"seen to run this kernel in {took:.1f} s")
        # QEMU does not end at an internal error of KVM: it prints it and stands still.
        if "KVM internal error" in process.stderr:
            return Trial(False, f"it stopped after {took:.1f} s with: {process.stderr.splitlines()[0]}")
        if data == b"":
            exit_ = process.wait(LOOK)
            words = (process.stderr.splitlines() or ["it printed nothing"])[-1]
            return Trial(False, f"QEMU ended ({exit_ or 'still ending'}): {words}")
    return Trial(False, f"the kernel said nothing within {PROBE_LIMIT:.0f} s")


def _key(board: Board, qemu: QemuProgram) -> str:
    parts = (BOOT_ID.read_text().strip(), qemu.digest, board.arch, board.machine)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _recall(record: Path) -> Trial | None:
    try:
        data = json.loads(record.read_text())
        return Trial(bool(data["works"]), str(data["seen"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(record: Path, trial: Trial) -> None:
    # A cache that cannot be written costs the next run a probe, nothing else.
    with contextlib.suppress(OSError):
        record.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=record.parent)
        with os.fdopen(handle, "w") as file:
            json.dump({"works": trial.works, "seen": trial.seen}, file)
        Path(name).replace(record)
