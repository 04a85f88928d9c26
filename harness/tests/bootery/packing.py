"""What a client packs for a host: root.img and boot.img of the project's own instance, with that host's name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from harness.image.arch import Arch
from harness.image.disk import partuuid
from harness.lab.lab import Lab
from harness.options import Settings
from harness.package_data import images_folder


def pack(arch: Arch, host: str, folder: Path) -> Path:
    """Build hello-ARCH as gokr-boot does, into ``folder``/HOST; returns that."""
    name = f"hello-{arch}"
    for part in (name, "programs"):
        shutil.copytree(images_folder() / part, folder / "instances" / part, dirs_exist_ok=True)
    config = folder / "instances" / name / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "Hostname": host}))
    with Lab(Settings(artifacts=folder / "artifacts")) as lab:
        image = lab.images.build(str(config.parent))
        files = lab.images.update_files(image)
        (folder / host).mkdir()
        for file in (files.root, files.boot):
            shutil.copy(file, folder / host / file.name)
    assert image.hostname == host
    return folder / host


def changed(boot: Path, into: Path, *, by: tuple[str, str]) -> Path:
    """A boot file system in which one text stands for another of the same length, wherever it is."""
    before, after = (text.encode() for text in by)
    content = boot.read_bytes()
    assert len(before) == len(after)
    assert before in content
    into.write_bytes(content.replace(before, after))
    return into


def readdressed(boot: Path, into: Path, *, of: str, to: str) -> Path:
    """The boot file system of one host, as if it had been packed for another."""
    return changed(boot, into, by=(partuuid(of, 1), partuuid(to, 1)))
