"""A bundle, unpacked, with a lab that has its image: what every way back to its machine begins with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import boards
from harness.bundle.archive import damaged, first, unpack
from harness.bundle.manifest import Manifest
from harness.bundle.source import must_be_the_image, options_for
from harness.errors import QemuFailed
from harness.image.model import Image
from harness.lab.folders import Folders
from harness.lab.journal import Journal
from harness.lab.lab import Lab
from harness.options import ARTIFACTS, settings_from

Say = Callable[[str], None]
LAST_WORDS = 20
"""Lines of the console that are shown of what it said before."""


@dataclass(frozen=True)
class Source:
    """Where a bundle is, and what somebody says of it."""

    bundle: Path
    image: str = ""
    """The image or instance that was given, "" for that which the bundle names."""
    said: Mapping[str, object] = field(default_factory=dict)
    """Options of the command by their ini names."""

    def read(self) -> Manifest:
        """What the bundle says; raises OptionError."""
        return Manifest.of_json(first(self.bundle), self.bundle)


@dataclass(frozen=True)
class Unpacked:
    """A bundle in a folder, and what it takes to start its machine here."""

    manifest: Manifest
    folder: Path
    lab: Lab
    image: Image

    def must_fit(self, name: str, then: Mapping[str, Any], what: str, *, hint: str) -> None:
        """Raise QemuFailed, which begins with ``what``, where this host's machine is not that of the bundle."""
        manifest, starts = self.manifest, self.lab.starts
        wanted = manifest.wanted_again(name)
        here = starts.identity_of(wanted, manifest.equipment_again)
        parts = sorted(part for part in {*here, *then} if here.get(part) != then.get(part))
        if not parts:
            return
        qemu = starts.qemus.of(wanted.board)
        why = f"this machine differs in: {', '.join(parts)}"
        if "qemu" in parts:
            why = f"it was saved by QEMU {manifest.qemu.version}, and this host has another build: {qemu.version}"
        elif "host" in parts:
            why = "it ran under KVM, on another processor or kernel than this host has"
        accelerator, old = starts.accelerators.of(wanted.board).name, manifest.qemu
        raise QemuFailed(
            f"{what} here: {why}",
            where=wanted.board.name,
            hint=hint,
            evidence=f"then: QEMU {old.version}, {old.digest[:16]}, {old.accelerator}\n"
            f"here: QEMU {qemu.version}, {qemu.digest[:16]}, {accelerator}",
        )


def beside(bundle: Path, name: str) -> str:
    """Where logs go unless somebody says so: never over those that the bundle lies among."""
    folder = Path.cwd() / ARTIFACTS / name
    while bundle.is_relative_to(folder):
        folder /= "again"
    return str(folder)


@contextmanager
def unpacked(source: Source, manifest: Manifest, name: str, *, say: Say) -> Iterator[Unpacked]:
    """Unpack a bundle for this block, and have its image; ``name`` is what its appliance is called here.

    Raises OptionError for what is not here, or is not as it was when the test failed.
    """
    for line in introduction(manifest):
        say(line)
    folders = Folders(Journal(say))
    try:
        folder = folders.folder("bundle", bulky=True)
        unpack(source.bundle, folder)
        _must_be_whole(manifest, folder, source.bundle)
        values = options_for(manifest, source.image, source.said)
        if manifest.key and not source.said.get("gk_ssh_key"):
            values["gk_ssh_key"] = str(folder / manifest.key)
        with Lab(settings_from(values), say=say) as lab:
            image = lab.images.image(boards.board(manifest.board), manifest.wanted_again(name).family)
            must_be_the_image(manifest, image)
            yield Unpacked(manifest, folder, lab, image)
    finally:
        folders.close()


def introduction(manifest: Manifest) -> list[str]:
    """What somebody reads who opens a bundle: which test, what it said, and the console's last words."""
    case, left = manifest.case, manifest.left
    return [
        f"gokrazy: the test: {case.id}",
        f"gokrazy: it ran on {manifest.board} with {manifest.subject}",
        *([f"gokrazy: not in the bundle: {note}" for note in manifest.notes]),
        "gokrazy: what the test said:",
        *(f"  {line}" for line in (case.error or "it passed").splitlines()),
        "gokrazy: the last lines of its console:",
        *(f"  {line}" for line in left.last_words[-LAST_WORDS:]),
    ]


def _must_be_whole(manifest: Manifest, folder: Path, where: Path) -> None:
    missing = [name for name in manifest.members if not (folder / name).is_file()]
    if missing:
        raise damaged(where, f"it lacks {', '.join(missing)}")
