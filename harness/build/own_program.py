"""The project's own programs, built for a device that does not have them in its image."""

from __future__ import annotations

from pathlib import Path

from harness.build.go import GoToolchain
from harness.image.arch import Arch
from harness.package_data import images_folder

MODULES = ("programs", "services")
"""The folders of images/ that hold them: those without dependencies, and those with."""


def build_own_program(name: str, arch: Arch, out: Path) -> Path:
    """Build one of the programs in images/ for this architecture into the file ``out``.

    Raises ToolMissing, BuildFailed, ModuleUnavailable.
    """
    go = GoToolchain.find(arch=arch, build_env={})
    module = next(one for one in MODULES if (images_folder() / one / "cmd" / name).is_dir())
    go.build_in_place(images_folder() / module, f"gokrazy.test/{module}/cmd/{name}", out)
    return out
