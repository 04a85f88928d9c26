"""The root file system of an image: what goes where, with which mode.

Modes are those of real images: what a packer writes itself is 0444, what it copies keeps the mode it has on the
build host, folders are 0555.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.build.extrafiles import KEPT_MODE, Extra, walk
from harness.build.instance import Instance
from harness.errors import ConfigError
from harness.image.sbom import go_json
from harness.image.squashfs import Dir, File, Link, Tree

_FOLDERS = ("bin", "dev", "etc", "proc", "sys", "tmp", "perm", "lib", "run", "mnt")
_HOSTS = b"127.0.0.1 localhost\n::1 localhost\n"


@dataclass(frozen=True)
class RootParts:
    """What goes into a root file system beside the settings of its instance."""

    programs: Mapping[str, Path]
    """Binaries by their paths on the device, init included."""
    kernel: Path
    """The folder of the kernel package."""
    ca_bundle: bytes
    localtime: bytes
    sbom: bytes
    extras: Iterable[Extra] = ()
    more_files: Mapping[str, str] = field(default_factory=dict)
    """Contents by path that the caller wants in addition."""


def root_tree(instance: Instance, parts: RootParts) -> Tree:
    """Lay out the root file system; raises ConfigError or ImageError when two things claim a path."""
    tree = Tree()
    for name in _FOLDERS:
        tree.add(f"/{name}", Dir())
    tree.add("/gokrazy", Dir())
    tree.add("/user", Dir())
    tree.add("/var", Link("/perm/var"))
    for path, binary in sorted(parts.programs.items()):
        tree.add(path, File(binary, 0o755))
    _add_etc(tree, instance, parts)
    for device in instance.config.mount_devices or ():
        name = device.target.removeprefix("/mnt/").rstrip("/")
        # Deeper targets cannot be made in a read-only root; the packer leaves them out as well.
        if device.target.startswith("/mnt/") and name and "/" not in name:
            tree.add(f"/mnt/{name}", Dir())
    _add_kernel_modules(tree, parts.kernel)
    for extra in parts.extras:
        if isinstance(extra.node, Dir) and extra.dest in tree and not isinstance(tree[extra.dest], Dir):
            raise ConfigError(f"{extra.package} brings the folder {extra.dest}, which is a file in the image")
        if not (isinstance(extra.node, Dir) and extra.dest in tree):
            tree.add(extra.dest, extra.node)
    for path, text in sorted(parts.more_files.items()):
        tree.add(path, File(text.encode()))
    return tree


def _add_etc(tree: Tree, instance: Instance, parts: RootParts) -> None:
    config = instance.config
    files: list[tuple[str, bytes, int]] = [
        ("hostname", config.hostname.encode(), 0o444),
        ("hosts", _HOSTS, 0o444),
        ("http-port.txt", str(instance.http_port).encode(), 0o444),
        ("https-port.txt", str(instance.https_port).encode(), 0o444),
        ("localtime", parts.localtime, 0o644),
        ("ssl/ca-bundle.pem", parts.ca_bundle, 0o444),
        ("gokrazy/sbom.json", parts.sbom, 0o444),
        ("gokrazy/mountdevices.json", _mount_devices(instance), 0o444),
    ]
    if instance.password is not None:
        files.append(("gokr-pw.txt", instance.password.encode(), 0o400))
    if instance.certificate is not None:
        files.append(("ssl/gokrazy-web.pem", instance.certificate.cert.encode(), 0o444))
        files.append(("ssl/gokrazy-web.key.pem", instance.certificate.key.encode(), 0o444))
    tree.add("/etc/resolv.conf", Link("/tmp/resolv.conf"))  # noqa: S108  # a path of the device
    for name, content, mode in files:
        tree.add(f"/etc/{name}", File(content, mode))


def _mount_devices(instance: Instance) -> bytes:
    devices = instance.config.mount_devices
    if devices is None:
        return b"null"
    names = ("Source", "Type", "Target", "Options")
    listed = [dict(zip(names, (d.source, d.type, d.target, d.options), strict=True)) for d in devices]
    return go_json(listed, indent=None).encode()


def _add_kernel_modules(tree: Tree, kernel: Path) -> None:
    top = kernel / "lib" / "modules"
    if not top.is_dir():
        return
    tree.add("/lib/modules", Dir())
    for release in sorted(top.iterdir()):
        for extra in _without_build_links(release):
            tree.add(extra.dest, extra.node)


def _without_build_links(release: Path) -> Sequence[Extra]:
    """One release of modules, without the links into a kernel's build folder that a checkout may have."""
    if not release.is_dir():
        return []
    dest = f"/lib/modules/{release.name}"
    found = [Extra(dest, Dir(), "kernel")]
    for entry in sorted(release.iterdir()):
        if entry.name in ("build", "source") and entry.is_symlink():
            continue
        if entry.is_dir():
            found += walk(entry, f"{dest}/{entry.name}", "kernel")
        else:
            found.append(Extra(f"{dest}/{entry.name}", File(entry, entry.stat().st_mode & KEPT_MODE), "kernel"))
    return found
