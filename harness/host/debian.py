"""Reads the host's apt sources, so that further ones can be derived from the mirror that the host already uses."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.host.host import Host


@dataclass(frozen=True)
class Source:
    """One apt source: where packages come from, and the key that signs them."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""
    """The value of Signed-By, a file or (over several lines) a key; "" when apt's own trust store is used."""

    def stanza(self) -> str:
        """The source in the format of a .sources file (deb822)."""
        lines = [
            "Types: deb",
            f"URIs: {' '.join(self.uris)}",
            f"Suites: {' '.join(self.suites)}",
            f"Components: {' '.join(self.components)}",
        ]
        if self.signed_by:
            lines.append(f"Signed-By: {self.signed_by}")
        return "\n".join(lines) + "\n"


def parse_deb822(text: str) -> list[Source]:
    """The enabled binary sources of a .sources file."""
    sources = []
    for stanza in re.split(r"\n\s*\n", re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)):
        fields: dict[str, str] = {}
        last = ""
        for line in stanza.splitlines():
            if line[:1].isspace() and last:
                fields[last] += "\n" + line
            elif ":" in line:
                last, _, value = line.partition(":")
                last = last.strip().lower()
                fields[last] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        sources.append(
            Source(
                tuple(fields.get("uris", "").split()),
                tuple(fields.get("suites", "").split()),
                tuple(fields.get("components", "").split()),
                fields.get("signed-by", ""),
            )
        )
    return sources


def parse_list(text: str) -> list[Source]:
    """The binary sources of a one-line-style .list file."""
    sources = []
    for line in text.splitlines():
        found = re.match(r"deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s*([^#]*)", line.strip())
        if found is None:
            continue
        options, uri, suite, components = found.groups()
        key = re.search(r"signed-by=(\S+)", options or "", re.IGNORECASE)
        sources.append(Source((uri,), (suite,), tuple(components.split()), key.group(1) if key else ""))
    return sources


def read_sources(host: Host, etc: Path = Path("/etc/apt")) -> list[Source]:
    """All binary sources that apt on this host would use."""
    sources = parse_list(host.read(str(etc / "sources.list")))
    for path in sorted((etc / "sources.list.d").glob("*")):
        if path.suffix == ".list":
            sources += parse_list(host.read(str(path)))
        elif path.suffix == ".sources":
            sources += parse_deb822(host.read(str(path)))
    return sources


def for_suite(sources: Iterable[Source], suite: str) -> Source | None:
    """The first source that offers the main part of this suite, narrowed to that; None when there is none."""
    for source in sources:
        if suite in source.suites and "main" in source.components and not source.uris[0].startswith("cdrom:"):
            return replace(source, suites=(suite,), components=("main",))
    return None


def backports(sources: Iterable[Source], codename: str) -> Source | None:
    """The source of this release's backports, on the mirror that serves the release itself; None when unknown."""
    release = for_suite(sources, codename)
    return None if release is None else replace(release, suites=(f"{codename}-backports",))


def backports_commands(sources: Iterable[Source], codename: str) -> list[str]:
    """The shell commands, for root, that make apt see the backports; none when it does already."""
    sources = list(sources)
    if for_suite(sources, f"{codename}-backports"):
        return []
    source = backports(sources, codename)
    if source is None:
        wanted = (
            f"add {codename}-backports to the apt sources first: there is none for {codename} to derive it from"
        )
        return [f"echo {shlex.quote(wanted)} >&2; exit 1"]
    path = f"/etc/apt/sources.list.d/{codename}-backports.sources"
    words = " ".join(shlex.quote(line) for line in source.stanza().splitlines())
    return [f"printf '%s\\n' {words} > {path}"]
