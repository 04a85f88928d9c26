"""The QEMU programs of this host: version, machine types, sandbox."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.boards import Board
from harness.errors import QemuFailed, ToolMissing
from harness.image.digest import sha256_of

ANSWER_LIMIT = 30.0
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


@dataclass(frozen=True)
class QemuProgram:
    """A QEMU on PATH; ask for it once a run, as finding out costs two of its starts (0.1 s)."""

    path: Path
    version: str
    machines: frozenset[str]
    sandbox: bool
    """Whether it was built with seccomp."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the program file."""
        return sha256_of(self.path)

    def data_folders(self) -> list[Path]:
        """Where it looks for firmware and option ROMs, in this order."""
        return [Path(line.strip()) for line in _ask(str(self.path), "-L", "help").splitlines() if line.strip()]

    @property
    def numbers(self) -> tuple[int, int]:
        """The first two numbers of the version."""
        found = re.match(r"(\d+)\.(\d+)", self.version)
        return (int(found[1]), int(found[2])) if found else (0, 0)


def find_qemu(board: Board) -> QemuProgram:
    """Find the QEMU that can play ``board``; raises ToolMissing when there is none or it is too old."""
    package = board.architecture.qemu_package
    found = shutil.which(board.qemu)
    if found is None:
        raise ToolMissing(
            f"{board.qemu} is not on PATH", where=board.name, hint=f"install the Debian package {package}"
        )
    said = _ask(found, "--version")
    version = re.search(r"version (\S+)", said)
    try:
        machines, sandbox = _ask(found, "-sandbox", SANDBOX, "-M", "help"), True
    except QemuFailed:
        machines, sandbox = _ask(found, "-M", "help"), False
    names = frozenset(line.split()[0] for line in machines.splitlines()[1:] if line.strip())
    program = QemuProgram(Path(found).resolve(), version[1] if version else "", names, sandbox)
    machine = board.machine.split(",")[0]
    if program.numbers < board.min_qemu or machine not in names:
        least = ".".join(map(str, board.min_qemu))
        raise ToolMissing(
            f"{board.qemu} {program.version} is too old for the board {board.name} (machine {machine})",
            where=found,
            hint=f"install QEMU {least} or newer: {package} of Debian 13, or of bookworm-backports on Debian 12",
        )
    return program


def _ask(program: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_LIMIT,
            check=False,
        )
    except OSError as error:
        raise QemuFailed(f"{program} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise QemuFailed(f"{program} {' '.join(arguments)} did not answer within {ANSWER_LIMIT:.0f} s") from error
    if done.returncode != 0:
        raise QemuFailed(
            f"{program} {' '.join(arguments)} ended with exit status {done.returncode}",
            evidence=done.stderr.strip(),
        )
    return done.stdout
