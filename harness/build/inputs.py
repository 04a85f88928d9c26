"""Everything that goes into an image, gathered before anything is built, and the key over all of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.build.bootfs import EfiLoader, check_kernel
from harness.build.extrafiles import KEPT_MODE, Extra, configured, of_old_layout
from harness.build.go import GoToolchain
from harness.build.gomod import ModuleRoot, module_roots
from harness.build.instance import Instance
from harness.build.instance_copy import NOT_BUILT_FROM
from harness.errors import OptionError
from harness.image.digest import content_digest
from harness.image.hosttool import run_tool
from harness.image.squashfs import File, Link

GOKRAZY = "github.com/gokrazy/gokrazy"
PACKAGE = Path(__file__).resolve().parent.parent
"""The folder of the package ``harness``."""
_CANONICAL = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


@dataclass(frozen=True)
class StagedRoot:
    """A go.mod with its staged copy, and Go's settings there."""

    root: ModuleRoot
    folder: Path
    facts: Mapping[str, str]


@dataclass(frozen=True)
class Kernel:
    """Which kernel to take: a package, possibly another than the instance's, or a folder of this machine."""

    package: str
    folder: Path | None = None


@dataclass(frozen=True)
class Inputs:
    """What an image is made from; ``key`` stands for all of it."""

    instance: Instance
    go: GoToolchain
    roots: tuple[StagedRoot, ...]
    kernel: Kernel
    firmware: str
    eeprom: str
    extras: tuple[Extra, ...]
    ca_bundle: bytes = field(repr=False)
    localtime: bytes = field(repr=False)
    loaders: tuple[EfiLoader, ...] = field(repr=False)
    key: str

    def root_of(self, package: str) -> StagedRoot:
        """The module root that a package is built with."""
        return next(staged for staged in self.roots if package in staged.root.packages)


def parse_kernel(kernel: str | None, instance: Instance) -> tuple[Kernel, str]:
    """What ``--gk-kernel MODULE@VERSION|DIR`` means, and the version ("": pinned); raises OptionError."""
    package = instance.config.kernel_package
    if not kernel:
        return Kernel(package), ""
    folder = Path(kernel).expanduser()
    if folder.is_dir():
        if not (folder / "vmlinuz").is_file():
            raise OptionError("this folder is no kernel package: it has no vmlinuz", where=str(folder))
        return Kernel(package, folder.resolve()), ""
    module, at, version = kernel.partition("@")
    if not at or not module or not version or kernel.startswith((".", "/", "~")):
        raise OptionError(
            f"no kernel can be made of {kernel!r}",
            hint="a folder with vmlinuz, or MODULE@VERSION such as github.com/gokrazy/kernel.amd64@latest",
        )
    return Kernel(module), version


def firmware_of(instance: Instance, kernel: Kernel) -> str:
    """The firmware package, "" for none: where it is the kernel package, another kernel brings its own."""
    firmware = instance.config.firmware_package
    if firmware == instance.config.kernel_package:
        return kernel.package if kernel.folder is None else ""
    return firmware


def stage_roots(
    instance: Instance,
    go: GoToolchain,
    work: Path,
    *,
    kernel: Kernel,
    kernel_version: str,
    firmware: str,
    with_modules: Sequence[str],
) -> tuple[StagedRoot, ...]:
    """Copy the go.mod files that the instance is built with, changed as the caller wants; raises OptionError."""
    config = instance.config
    packages = [*config.gokrazy_packages, *config.packages, config.flags.init_pkg or GOKRAZY]
    if kernel.folder is None:
        packages.append(kernel.package)
    packages += [package for package in (firmware, config.eeprom_package) if package]
    roots = module_roots(
        instance.folder,
        [package for package in packages if package],
    )
    wanted = [_module_at_version(entry) for entry in with_modules]
    staged: list[StagedRoot] = []
    used: set[str] = set()
    for number, root in enumerate(roots):
        folder = work / f"module{number}"
        root.stage(folder)
        edits: list[str] = []
        for module, query in wanted:
            if module in root.mod.requires or any(r.old == module for r in root.mod.replaces):
                used.add(module)
                edits += _edits(root, module, _exact(go, module, query, folder))
        if kernel_version and kernel.package in root.packages:
            edits += _edits(root, kernel.package, _exact(go, kernel.package, kernel_version, folder))
        if edits:
            go.edit(folder, edits)
        staged.append(StagedRoot(root, folder, go.facts(folder)))
    for module, _ in wanted:
        if module not in used:
            raise OptionError(
                f"no go.mod of the instance names the module {module}",
                where=str(instance.folder),
                hint="a module that the instance does not use cannot be changed; check the spelling",
            )
    return tuple(staged)


def _module_at_version(entry: str) -> tuple[str, str]:
    module, at, version = entry.partition("@")
    if not (at and module and version):
        raise OptionError(f"{entry!r} is not of the form MODULE@VERSION")
    return module, version


def _exact(go: GoToolchain, module: str, query: str, folder: Path) -> str:
    return query if _CANONICAL.fullmatch(query) else go.exact_version(module, query, folder)


def _edits(root: ModuleRoot, module: str, version: str) -> list[str]:
    dropped = [
        f"-dropreplace={replace.old}{'@' + replace.old_version if replace.old_version else ''}"
        for replace in root.mod.replaces
        if replace.old == module
    ]
    # A replacement and not only a requirement: the highest required version would win over the one asked for.
    return [*dropped, f"-require={module}@{version}", f"-replace={module}={module}@{version}"]


def content_key(
    instance: Instance,
    *,
    roots: Sequence[StagedRoot],
    kernel: Kernel,
    extras: Sequence[Extra],
    loaders: Sequence[EfiLoader],
    facts: Mapping[str, Any],
) -> str:
    """One digest over all that goes in, independent of where on this machine it lies."""
    certificate = instance.certificate
    everything: dict[str, Any] = {
        "config": hashlib.sha256(instance.config.raw).hexdigest(),
        "old_layout": _digest_of(repr(instance.config.package_config)) if instance.old_layout else None,
        "arch": instance.arch,
        "ports": [instance.http_port, instance.https_port],
        "secrets": _digest_of([instance.password, certificate and [certificate.cert, certificate.key]]),
        "roots": [_root_facts(staged) for staged in roots],
        "kernel": [kernel.package, folder_digest(kernel.folder) if kernel.folder else None],
        "extras": [[extra.dest, extra.package, *_node_facts(extra)] for extra in extras],
        "loaders": [[loader.dest, hashlib.sha256(loader.content).hexdigest()] for loader in loaders],
        "packer": packer_digest(),
        "tools": tool_versions(),
        **facts,
    }
    return _digest_of(everything)


def _digest_of(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _root_facts(staged: StagedRoot) -> object:
    root = staged.root
    own = folder_digest(root.folder) if root.own_packages and root.folder else None
    return [
        root.label,
        sorted(root.packages),
        (staged.folder / "go.mod").read_text("utf-8"),
        root.sums,
        {name: folder_digest(target) for name, target in root.links.items()},
        own,
        dict(staged.facts),
    ]


def _node_facts(extra: Extra) -> tuple[object, ...]:
    node = extra.node
    if isinstance(node, Link):
        return ("link", node.target)
    if isinstance(node, File):
        if isinstance(node.content, Path):
            return ("file", node.mode, content_digest(node.content))
        return ("content", node.mode, hashlib.sha256(node.content).hexdigest())
    return ("dir", node.mode)


def folder_digest(folder: Path) -> str:
    """A digest over names, modes and contents of all files below a folder, version control aside."""
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode(errors="surrogateescape"))
        if path.is_symlink():
            digest.update(f"link {path.readlink()}\0".encode(errors="surrogateescape"))
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode & KEPT_MODE
                digest.update(f"{mode:o} ".encode())
            digest.update(content_digest(path).encode())
        except OSError:
            digest.update(b"unreadable")
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in NOT_BUILT_FROM)
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file():
                yield path


def packer_digest(package: Path = PACKAGE) -> str:
    """A digest of this very code: an image that another version of it made is another image.

    It covers whatever decides about an image's bytes: this folder, and the writers in ``image/``.
    """
    digest = hashlib.sha256()
    for name in ("build", "image"):
        for path in sorted((package / name).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def tool_versions() -> dict[str, str]:
    """The versions of the host's tools whose output is in the image."""
    squash = run_tool(["mksquashfs", "-version"])
    ext4 = run_tool(["mke2fs", "-V"])
    first = (squash.stdout or squash.stderr).decode(errors="replace").splitlines()
    return {
        "mksquashfs": first[0] if first else "",
        "mke2fs": (ext4.stderr or ext4.stdout).decode(errors="replace").strip(),
    }


def gather_extras(instance: Instance) -> tuple[Extra, ...]:
    """What config.json and the instance's own folders bring into the root file system."""
    return (*configured(instance), *of_old_layout(instance))


def check_kernel_folder(instance: Instance, kernel: Kernel) -> None:
    """Check a kernel given as a folder before anything is built; raises ConfigError."""
    if kernel.folder is not None:
        check_kernel(instance, kernel.folder)
