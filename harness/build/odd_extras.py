"""What a reader should know of extra files: programs for another machine, and files that gok mangles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.build.extrafiles import Extra
from harness.image.arch import Arch, architecture_of
from harness.image.gobinary import architecture
from harness.image.squashfs import File

_HEAD_BYTES = 64
_NAMED = 5
_FIRMWARE = "/lib/firmware/"
"""Files for other processors belong there, some of them in ELF."""


def notes_on(extras: Iterable[Extra], arch: Arch) -> Iterator[str]:
    """One sentence for each kind of oddity, with the files that it is about."""
    foreign: dict[str, list[str]] = {}
    odd: dict[str, list[str]] = {}
    for extra in extras:
        if extra.odd:
            odd.setdefault(extra.odd, []).append(_named(extra))
        elif isinstance(extra.node, File) and extra.node.mode & 0o111 and not extra.dest.startswith(_FIRMWARE):
            other = architecture(_head(extra.node))
            if other is not None and other != arch:
                foreign.setdefault(other, []).append(_named(extra))
    for other, names in foreign.items():
        is_one = "a program" if len(names) == 1 else "programs"
        fate = "runs only with a kernel for both" if other == architecture_of(arch).narrow else "will not run"
        yield f"{is_one} for {other} in an image for {arch}, which {fate}: {_listed(names)}"
    for what, names in odd.items():
        yield f"{what}: {_listed(names)}"


def _head(file: File) -> bytes:
    if isinstance(file.content, Path):
        with file.content.open("rb") as opened:
            return opened.read(_HEAD_BYTES)
    return file.content[:_HEAD_BYTES]


def _named(extra: Extra) -> str:
    return f"{extra.dest} of {extra.package}"


def _listed(names: list[str]) -> str:
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + rest
