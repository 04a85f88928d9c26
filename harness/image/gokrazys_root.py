"""What gokrazy itself puts into a root file system, and what is odd in one that an image has.

Source: gokrazy/tools internal/packer/packerwrite.go, which lays it out, and the listings of real images. What the
packages and the configuration of an instance bring is theirs (``Image.extra_files``), and never odd.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from posixpath import dirname

from harness.image.model import Image
from harness.image.squashfs import Entry, SquashFs

_TOP = ("bin", "dev", "etc", "gokrazy", "lib", "mnt", "perm", "proc", "run", "sys", "tmp", "user")
FOLDERS = ("/", *(f"/{name}" for name in _TOP))
LINKS = {"/etc/resolv.conf": "/tmp/resolv.conf", "/var": "/perm/var"}  # noqa: S108  # paths of the device
LATER = ("/bin", "/mnt")
"""Folders that older packers did not make. They made a folder /var as well, where a link is now."""
OWN_FOLDERS = ("/etc", "/gokrazy", "/user")
"""Where nothing may be but what gokrazy and the instance put there."""
MODULES = "/lib/modules"
PASSWORD = "/etc/gokr-pw.txt"  # noqa: S105
CERTIFICATE = ("/etc/ssl/gokrazy-web.pem", "/etc/ssl/gokrazy-web.key.pem")
MOUNT_DEVICES = "/etc/gokrazy/mountdevices.json"
MACHINE_ID = "/etc/machine-id"
HOSTS = "127.0.0.1 localhost\n::1 localhost\n"
OF_OTHERS = stat.S_IWGRP | stat.S_IWOTH
SETUID = stat.S_ISUID | stat.S_ISGID


@dataclass(frozen=True)
class OwnFile:
    """A file that gokrazy's packer writes."""

    path: str
    content: str = ""
    """A pattern for the whole of it; "" where it is nothing that one can foresee."""
    mode: int | None = 0o444
    """None for one that has the mode of the build host's file."""
    always: bool = True
    """False for one that older packers did not write."""


def own_files(image: Image) -> tuple[OwnFile, ...]:
    """The files of gokrazy's own in /etc for this image."""
    exact = re.escape
    files = [
        OwnFile("/etc/hostname", rf"{exact(image.hostname)}\n?"),
        OwnFile("/etc/hosts", exact(HOSTS)),
        OwnFile("/etc/http-port.txt", rf"{image.http_port}\n?"),
        OwnFile("/etc/https-port.txt", rf"{image.https_port}\n?", always=False),
        OwnFile("/etc/localtime", r"TZif.*", mode=None, always=False),
        OwnFile("/etc/ssl/ca-bundle.pem", r".*-----BEGIN CERTIFICATE-----.*", mode=None),
        OwnFile("/etc/gokrazy/sbom.json", always=False),
        OwnFile(MOUNT_DEVICES, r"null|\[.*\]\n?", always=False),
    ]
    if image.password is not None:
        files.append(OwnFile(PASSWORD, mode=0o400))
    if image.tls:
        files += [OwnFile(path, r"\s*-----BEGIN .*", mode=None) for path in CERTIFICATE]
    return tuple(files)


def oddities(image: Image, root: SquashFs) -> list[str]:
    """What is not as gokrazy makes it in a root file system of this image: a line each; nothing when all is."""
    entries = {one.path: one for one in root.entries()}
    return [*_of_own_files(image, root, entries), *_of_paths(image, entries), *_of_modes(entries.values(), image)]


def strangers(image: Image, paths: Iterable[str]) -> list[str]:
    """The paths that neither gokrazy nor the instance brought; none where the image does not know its extras."""
    if image.extra_files is None:
        return []
    known = {*FOLDERS, *LINKS, "/gokrazy/init", "/etc/ssl", "/etc/gokrazy", *CERTIFICATE, PASSWORD}
    known |= {one.path for one in own_files(image)} | {one.path for one in image.services} | {*image.extra_files}
    for path in [*known]:
        while (path := dirname(path)) != "/":
            known.add(path)
    return sorted(path for path in paths if path not in known and not _is_a_modules_or_a_mounts(path))


def _is_a_modules_or_a_mounts(path: str) -> bool:
    """Whether the kernel package brought it, or MountDevices, which make a folder in /mnt and none below that."""
    return f"{path}/".startswith(f"{MODULES}/") or dirname(path) == "/mnt"


def _of_own_files(image: Image, root: SquashFs, entries: Mapping[str, Entry]) -> Iterator[str]:
    theirs = set(image.extra_files or ())
    for own in own_files(image):
        entry = entries.get(own.path)
        if entry is None:
            if own.always or image.builder == "own":
                yield f"{own.path} is missing"
            continue
        if own.path in theirs:
            continue
        if entry.kind != "file":
            yield f"{own.path} is no file, but a {entry.kind}"
            continue
        if own.mode is not None and entry.mode != own.mode:
            yield f"{own.path} has mode {entry.mode:04o}, and not {own.mode:04o}"
        if own.content and not re.fullmatch(own.content, _text(root, own.path), re.DOTALL):
            yield f"{own.path} does not have the content that gokrazy writes"
    yield from _of_documents(root, entries)
    older = image.builder != "own" and MOUNT_DEVICES not in entries
    for path, target in LINKS.items():
        entry = entries.get(path)
        if path in theirs or (older and path == "/var" and (entry is None or entry.kind == "dir")):
            continue
        if entry is None or (entry.kind, entry.target) != ("link", target):
            yield f"{path} is no link to {target}"
    for path in FOLDERS:
        entry = entries.get(path)
        if older and path in LATER and entry is None:
            continue
        if entry is None or entry.kind != "dir":
            yield f"{path} is no folder"


def _of_documents(root: SquashFs, entries: Mapping[str, Entry]) -> Iterator[str]:
    if MACHINE_ID in entries and not re.fullmatch(r"[0-9a-f]{32}\n?", _text(root, MACHINE_ID)):
        yield f"{MACHINE_ID} is not 32 hexadecimal digits"
    if "/etc/gokrazy/sbom.json" in entries:
        try:
            told = json.loads(_text(root, "/etc/gokrazy/sbom.json"))
        except ValueError:
            yield "/etc/gokrazy/sbom.json is no JSON"
        else:
            if not isinstance(told, dict) or not told.get("sbom_hash"):
                yield "/etc/gokrazy/sbom.json has no sbom_hash"


def _of_paths(image: Image, entries: Mapping[str, Entry]) -> Iterator[str]:
    for path in strangers(image, entries):
        yield f"{path} is there, and neither gokrazy nor the instance brings it"
    services = {one.path for one in image.services}
    for path in sorted({*services, "/gokrazy/init"}):
        if path not in entries:
            yield f"{path} is missing"


def _of_modes(entries: Collection[Entry], image: Image) -> Iterator[str]:
    for entry in entries:
        if entry.kind == "link":
            continue
        if entry.mode & SETUID and entry.kind == "file" and not _may_be_anything(entry.path, image):
            yield f"{entry.path} runs with the rights of its owner or group (mode {entry.mode:04o})"
        if entry.kind == "other":
            yield f"{entry.path} is neither file, folder nor link"
        if entry.path in FOLDERS and entry.mode & OF_OTHERS:
            yield f"{entry.path} may be written by others (mode {entry.mode:04o})"
    services = {one.path for one in image.services} | {"/gokrazy/init"}
    for entry in entries:
        if entry.path in services and (entry.kind != "file" or not entry.mode & stat.S_IXUSR):
            yield f"{entry.path} is no program that can be started (mode {entry.mode:04o})"


def _may_be_anything(path: str, image: Image) -> bool:
    """Whether it is an extra file, or may be one as far as is known."""
    if image.extra_files is None:
        return not path.startswith(tuple(f"{folder}/" for folder in OWN_FOLDERS))
    return path in image.extra_files


def _text(root: SquashFs, path: str) -> str:
    return root.read(path).decode(errors="replace")
