"""This machine, as far as it is asked. Standard library only, as in ``table``."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.image.arch import of_machine

VERIFIED = {"12": "bookworm", "13": "trixie"}
"""The Debian releases on which the harness was tried."""


@dataclass
class Host:
    """This machine, as far as it is asked; tests put another one in its place."""

    env: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def system(self) -> str:
        """Linux, Darwin, ..."""
        return platform.system()

    def machine(self) -> str:
        """The architecture in Go's and Debian's words, such as amd64."""
        return of_machine(platform.machine()) or platform.machine()

    def which(self, program: str) -> str | None:
        """The path of a program; the sbin folders, which an ordinary user's PATH lacks, are looked at too."""
        path = os.pathsep.join([self.env.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
        return shutil.which(program, path=path)

    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder."""
        return Path(path).exists()

    def read(self, path: str) -> str:
        """The text of a file, "" when there is none."""
        try:
            return Path(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def has_module(self, module: str) -> bool:
        """Whether the Python that runs this can import the module."""
        return importlib.util.find_spec(module) is not None

    def output(self, *command: str) -> str:
        """What a command prints on both streams, "" when it cannot be run or takes longer than 20 s."""
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=20,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout.decode("utf-8", "replace")


@dataclass(frozen=True)
class System:
    """The operating system, from /etc/os-release."""

    kernel: str
    id: str
    version: str
    codename: str
    pretty: str

    @property
    def is_verified(self) -> bool:
        """Whether the harness was tried on this system."""
        return self.kernel == "Linux" and self.id == "debian" and self.version in VERIFIED


def system(host: Host) -> System:
    """The operating system that the host runs."""
    pairs = re.findall(r'^([A-Z_]+)="?([^"\n]*)"?$', host.read("/etc/os-release"), re.MULTILINE)
    release = dict(pairs)
    kernel = host.system()
    return System(
        kernel=kernel,
        id=release.get("ID", kernel.lower()),
        version=release.get("VERSION_ID", ""),
        codename=release.get("VERSION_CODENAME", ""),
        pretty=release.get("PRETTY_NAME", kernel),
    )
