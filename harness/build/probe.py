"""The probe: a small static program of the project's own that reports on the device it runs on."""

from __future__ import annotations

from pathlib import Path

from harness.build.go import GoToolchain
from harness.image.arch import Arch
from harness.package_data import images_folder

PACKAGE = "gokrazy.test/programs/cmd/probe"


def build_probe(arch: Arch, out: Path) -> Path:
    """Build it for this architecture into the file ``out``; raises ToolMissing, BuildFailed."""
    go = GoToolchain.find(arch=arch, build_env={})
    go.build_in_place(images_folder() / "programs", PACKAGE, out)
    return out
