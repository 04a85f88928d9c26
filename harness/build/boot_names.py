"""What an instance's kernel and firmware packages would put into the boot partition, known before a build.

What a board needs there is decided by what the packages contain, not by which fields of config.json are set:
FirmwarePackage is often the kernel package. The modules are downloaded if need be.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.build.bootfs import FIRMWARE_GLOBS, KERNEL_GLOBS
from harness.build.config import DEFAULT_FIRMWARE_PACKAGE, DEFAULT_KERNEL_PACKAGE
from harness.build.go import GoToolchain
from harness.build.inputs import Kernel, firmware_of, parse_kernel, stage_roots
from harness.build.instance import Instance
from harness.build.request import BuildRequest


def boot_names(
    request: BuildRequest, instance: Instance, work: Path, *, environ: Mapping[str, str] = os.environ
) -> frozenset[str] | None:
    """The names of the files; None for gokrazy's own packages for a Pi, which have what each model needs.

    ``work`` is for the copies of go.mod files. Raises what keeps the packages from being found, such as
    ModuleUnavailable.
    """
    kernel, version = parse_kernel(request.kernel, instance)
    firmware = firmware_of(instance, kernel)
    if (kernel, firmware) == (Kernel(DEFAULT_KERNEL_PACKAGE), DEFAULT_FIRMWARE_PACKAGE):
        return None
    go = GoToolchain.find(arch=instance.arch, build_env=instance.config.env, environ=environ)
    staged = stage_roots(
        instance,
        go,
        work,
        kernel=kernel,
        kernel_version=version,
        firmware=firmware,
        with_modules=request.with_modules,
    )
    folders = {kernel.package: kernel.folder} if kernel.folder is not None else {}
    for one in staged:
        asked = tuple(name for name in (kernel.package, firmware) if name in one.root.packages)
        if asked:
            packages, _ = go.resolve(replace(one.root, packages=asked), one.folder)
            folders |= {package.path: package.folder for package in packages}
    names = _names(folders.get(kernel.package), KERNEL_GLOBS)
    return names | _names(folders.get(firmware), FIRMWARE_GLOBS)


def _names(folder: Path | None, patterns: tuple[str, ...]) -> frozenset[str]:
    found = (path for pattern in patterns for path in (folder.glob(pattern) if folder is not None else ()))
    return frozenset(path.name for path in found if path.is_file())
