"""A host that the test makes up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.host.host import Host
from harness.host.table import table

OS_RELEASE = """\
PRETTY_NAME="Debian GNU/Linux {version} ({codename})"
NAME="Debian GNU/Linux"
VERSION_ID="{version}"
VERSION_CODENAME={codename}
ID=debian
"""


@dataclass
class MadeUpHost(Host):
    """Has exactly what its fields say."""

    env: Mapping[str, str] = field(default_factory=dict)
    programs: dict[str, str] = field(default_factory=dict)
    """Name -> what it prints when it is asked for its version."""
    files: dict[str, str] = field(default_factory=dict)
    modules: set[str] = field(default_factory=lambda: {"ensurepip"})
    kernel: str = "Linux"
    arch: str = "amd64"

    def system(self) -> str:
        return self.kernel

    def machine(self) -> str:
        return self.arch

    def which(self, program: str) -> str | None:
        return f"/usr/bin/{program}" if program in self.programs else None

    def exists(self, path: str) -> bool:
        return path in self.files or path.removeprefix("/usr/bin/") in self.programs

    def read(self, path: str) -> str:
        return self.files.get(path, "")

    def has_module(self, module: str) -> bool:
        return module in self.modules

    def output(self, *command: str) -> str:
        return self.programs[command[0].removeprefix("/usr/bin/")]


def complete_host(folder: Path, version: str = "13", codename: str = "trixie") -> MadeUpHost:
    host = MadeUpHost(
        env={"HOME": str(folder), "GOKHARNESS_EFI_DIR": str(folder / "loaders"), "TMPDIR": str(folder)}
    )
    host.files["/etc/os-release"] = OS_RELEASE.format(version=version, codename=codename)
    host.files["/proc/meminfo"] = "MemTotal: 8388608 kB\nMemAvailable:    4194304 kB\n"
    for row in table("amd64"):
        if row.files:
            host.files.update(dict.fromkeys(row.files, ""))
        elif not row.module:
            host.programs[row.name] = "version 99.1"
    host.programs["go"] = "go version go1.26.8 linux/amd64"
    (folder / "loaders").mkdir()
    (folder / "loaders" / "systemd-bootaa64.efi").write_bytes(b"MZ")
    return host


@pytest.fixture
def host(tmp_path: Path) -> MadeUpHost:
    return complete_host(tmp_path)


@pytest.fixture
def debian_12(tmp_path: Path) -> MadeUpHost:
    return complete_host(tmp_path, "12", "bookworm")
