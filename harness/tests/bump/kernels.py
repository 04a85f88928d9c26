"""Kernel packages of the own instances, as folders that may be changed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from harness.build.go import GoToolchain
from harness.image.kernel_file import kernel_release
from harness.package_data import images_folder

MODULES = {"arm64": "github.com/gokrazy/kernel.arm64", "amd64": "github.com/gokrazy/kernel.amd64"}


def copy_of_kernel(arch: str, folder: Path) -> Path:
    """Copy the kernel package that the own instance of an architecture has to a folder that is not there yet."""
    found = GoToolchain.find(arch=arch, build_env={})
    out = subprocess.run(
        [str(found.go), "list", "-mod=mod", "-m", "-f", "{{.Dir}}", MODULES[arch]],
        cwd=images_folder() / f"hello-{arch}" / "builddir",
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    shutil.copytree(out, folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    return folder


def says(words: str) -> Callable[[Path], None]:
    """A kernel with more words on its command line."""

    def change(folder: Path) -> None:
        path = folder / "cmdline.txt"
        path.write_text(f"{path.read_text().strip()} {words}\n")

    return change


def other_modules(folder: Path) -> None:
    """Modules of another version than the kernel's."""
    (release,) = (folder / "lib/modules").iterdir()
    release.rename(release.with_name("6.0.0"))


def fitting_modules(folder: Path) -> None:
    """Modules that say that they are made for this kernel, which loads no others."""
    (modules,) = (folder / "lib/modules").iterdir()
    was, release = modules.name, kernel_release((folder / "vmlinuz").read_bytes())
    assert len(was) == len(release), "what a module says must stay as long as it is"
    for path in modules.rglob("*.ko"):
        content = path.read_bytes()
        assert b"vermagic=" + was.encode() in content
        path.write_bytes(content.replace(b"vermagic=" + was.encode(), b"vermagic=" + release.encode()))
    modules.rename(modules.with_name(release))
