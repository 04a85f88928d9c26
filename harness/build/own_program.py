"""The project's own programs, built for a device that does not have them in its image."""

from __future__ import annotations

from pathlib import Path

from harness.build.go import GoToolchain
from harness.image.arch import Arch
from harness.package_data import images_folder

MODULE = "gokrazy.test/programs"


def build_own_program(name: str, arch: Arch, out: Path) -> Path:
    """Build one of images/programs/cmd for this architecture into the file ``out``.

    Raises ToolMissing, BuildFailed.
    """
    go = GoToolchain.find(arch=arch, build_env={})
    go.build_in_place(images_folder() / "programs", f"{MODULE}/cmd/{name}", out)
    return out
