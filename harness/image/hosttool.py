"""The host's programs that images are made and read with, and the Debian package that each one comes from."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from harness.errors import SAID_OF_A_FULL_DISK, HostDiskFull, HostFault, ToolMissing
from harness.lifetime.leash import leashed

PACKAGES = {
    "mksquashfs": "squashfs-tools (4.5 or newer)",
    "unsquashfs": "squashfs-tools (4.5 or newer)",
    "mke2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "qemu-img": "qemu-utils",
    "zstd": "zstd",
}

# mke2fs and debugfs live in sbin, which an ordinary user's PATH on Debian does not have.
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"

_EVIDENCE_LINES = 12
_LIMIT = 600.0
"""Seconds; far beyond what any of these programs needs for an image, so only a hang reaches it."""


def tool_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for host tools: plain English, UTC, sbin on PATH, nothing that would change their output."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "E2FS", "MKE2FS"))}
    env.pop("SOURCE_DATE_EPOCH", None)
    env.pop("LANGUAGE", None)
    env["LC_ALL"] = "C.UTF-8"
    env["TZ"] = "UTC"
    env["PATH"] = f"{env.get('PATH', '/usr/local/bin:/usr/bin:/bin')}:{_SBIN}"
    env.update(extra or {})
    return env


def missing(program: str) -> ToolMissing:
    """The error for a program that is not on PATH."""
    package = PACKAGES.get(program, program)
    return ToolMissing(
        f"The program {program} is not installed.",
        where="PATH of this machine",
        hint=f"Install the Debian package {package}.",
    )


def run_tool(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    stdout: IO[bytes] | None = None,
    limit: float = _LIMIT,
) -> subprocess.CompletedProcess[bytes]:
    """Run a host tool to its end and return whatever it ended with.

    ``limit`` is in seconds. Raises ToolMissing, HostDiskFull, HostFault when it does not end.
    """
    command = [str(argument) for argument in argv]
    try:
        environment = tool_environment(env)
        done = subprocess.run(
            leashed(command, environment),
            env=environment,
            input=b"" if stdin is None else stdin,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            check=False,
            timeout=limit,
        )
    except FileNotFoundError as error:
        raise missing(command[0]) from error
    except subprocess.TimeoutExpired as error:
        raise HostFault(
            f"{command[0]} did not end within {limit:g} s.",
            hint="Check that this machine is not overloaded, and try again.",
            evidence=" ".join(command),
        ) from error
    done.args = command
    check_room(done)
    return done


def check_room(done: subprocess.CompletedProcess[bytes]) -> None:
    """Raise HostDiskFull when a tool failed because this machine's disk is full."""
    if done.returncode != 0 and re.search(SAID_OF_A_FULL_DISK.encode(), done.stderr):
        raise HostDiskFull(
            f"{Path(done.args[0]).name} found no room on the disk.",
            hint="Free some space, or point the cache and TMPDIR to a larger file system.",
            evidence=evidence(done),
        )


def evidence(done: subprocess.CompletedProcess[bytes]) -> str:
    """What a tool said, shortened: its last lines, and the status it ended with."""
    said = (done.stderr or b"") + (done.stdout or b"")
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    return "\n".join([*lines[-_EVIDENCE_LINES:], f"({Path(done.args[0]).name} ended with {done.returncode})"])
