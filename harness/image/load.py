"""A finished image: whatever a test needs to know is read out of the disk itself."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.errors import ImageError
from harness.image import gaf
from harness.image.arch import NAMES as ARCHES
from harness.image.arch import Arch, architecture_of, known
from harness.image.boot_sector import boot_sector_title, fit_on
from harness.image.digest import content_digest
from harness.image.fat import FatVolume
from harness.image.formats import kind_of, unwrap
from harness.image.gobinary import BuildInfo, architecture, build_info, build_timestamp
from harness.image.gokrazys_root import MOUNT_DEVICES
from harness.image.kernel_file import kernel_arch, kernel_release
from harness.image.layout import GET_DISK, read_layout, root_in_use
from harness.image.model import (
    Breakglass,
    Builder,
    Image,
    Kernel,
    Layout,
    PermState,
    Service,
    formats_perm,
)
from harness.image.sbom import STANDARD_LIBRARY, modules_in
from harness.image.source import FileSource
from harness.image.squashfs import Entry, SquashFs

_INIT = "/gokrazy/init"
_LOADER_INFO = re.compile(rb"#### LoaderInfo: ([^#\0]+?) ####")
_AUTHORIZED_KEYS = re.compile(rb"--?authorized_keys=(/[\x20-\x7e]*)")
_ELSEWHERE = re.compile(rb"--?authorized_keys=(?!/perm/breakglass\.authorized_keys)")
"""A flag whose value is not the usual one; nothing says where it ends."""
_SCREEN = re.compile(rb"/dev/(?:fb[\d%]|dri/)")
"""What a program has in it that draws on a frame buffer or display."""
_AGENT = b"org.qemu.guest_agent.0"
"""What a program has in it that is a guest agent for QEMU: the name of its channel."""
_EXT4_MAGIC = (1080, b"\x53\xef")
_OTHER_MAGIC = (
    (54, b"FAT"),
    (82, b"FAT32"),
    (4096 + 24, bytes.fromhex("c68573f666ce90a9d96a60cf803df7ef")),
)
"""Of what gokrazy mounts on /perm besides ext4: vfat, and bcachefs."""
_PW_FILE = "/etc/gokr-pw.txt"
_SHELLS = ("/usr/local/bin/busybox", "/user/sh", "/gokrazy/sh")
"""Where breakglass looks for one besides that of serial-busybox (its ssh.go; its PATH is /user:/gokrazy)."""


def image_from_file(path: Path, *, work: Path, password: str | None = None) -> Image:
    """An image out of a raw, .gz, .xz, .zst, qcow2 or .gaf file; unpacked files go into ``work``.

    ``password`` replaces what the image itself says (a device may override it in /perm). Raises ImageError for
    everything that is no complete gokrazy image.
    """
    if not path.is_file():
        raise ImageError(
            "There is no such image file." if not path.exists() else "The image is no regular file.",
            where=str(path),
            hint="Give the path of a disk image (raw, .gz, .xz, .zst, qcow2) or a .gaf.",
        )
    here = unwrap(path, work=work)
    notes = [] if here == path else [f"unpacked from {path.name}"]
    with _named(path, here):
        if kind_of(here) == "zip":
            archive, here = here, gaf.assemble(here, work=work)
            if archive != path:
                archive.unlink()
            notes = [f"disk assembled from {path.name}, with an empty ext4 on /perm"]
    with _named(path, here):
        return load_raw(here, password=password, notes=notes)


@contextmanager
def _named(path: Path, unpacked: Path) -> Iterator[None]:
    """Have an error name the file that was given, and not what it was unpacked to, which goes with the run."""
    try:
        yield
    except ImageError as error:
        error.where = error.where.replace(str(unpacked), str(path))
        raise


def load_raw(
    path: Path,
    *,
    builder: Builder = "given",
    password: str | None = None,
    instance: str = "",
    modules: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> Image:
    """Inspect a raw disk image. ``modules`` replaces what the programs say about themselves; raises ImageError."""
    layout = read_layout(path)
    boot = FatVolume.open(path, offset=layout.boot.offset, size=layout.boot.size)
    cmdline = _read_text(boot, "cmdline.txt")
    root = _root(path, layout, cmdline)
    entries = {entry.path: entry for entry in root.entries()}
    if _INIT not in entries:
        raise ImageError("The root file system has no /gokrazy/init.", where=str(path), hint=GET_DISK)
    init = root.read(_INIT)
    arch = _arch(init, path)
    vmlinuz = boot.read("vmlinuz")
    _must_fit(vmlinuz, arch, path)
    programs: dict[str, BuildInfo] = {}
    draws = has_agent = False
    for name in _programs(entries, init):
        program = root.read(name)
        programs[name] = build_info(program)
        draws = draws or _SCREEN.search(program) is not None
        has_agent = has_agent or _AGENT in program
    etc = _Etc(root, entries)
    found_notes = list(notes)
    services = tuple(Service(path=name, package=info.package) for name, info in programs.items())
    sbom = etc.text("/etc/gokrazy/sbom.json")
    fit = fit_on(FileSource(path)) if architecture_of(arch).has_boot_sector else None
    if fit is not None and not fit.fits:
        found_notes.append(f"a PC with BIOS cannot start it: {fit.sizes}")
    own_password = etc.text(_PW_FILE)
    if password and _PW_FILE not in entries:
        found_notes.append(f"the password that was given is not used: the image has no {_PW_FILE} (NoPassword)")
        password = None
    perm = _perm_state(path, layout, programs)
    if perm == "mkfs":
        found_notes.append("its mkfs formats /perm at the first start and reboots: a cold start is two boots")
    if builder == "given":
        found_notes.append("arguments and start modes of services are compiled into init and were not read")
    return Image(
        path=path,
        digest=content_digest(path),
        size=path.stat().st_size,
        arch=arch,
        hostname=etc.text("/etc/hostname"),
        build=build_timestamp(init),
        builder=builder,
        layout=layout,
        kernel=Kernel(
            release=kernel_release(vmlinuz),
            modules=tuple(_children(entries, "/lib/modules")),
            sha256=hashlib.sha256(vmlinuz).hexdigest(),
            drivers=_drivers(root, entries),
        ),
        cmdline=cmdline.rstrip(),
        services=services,
        perm=perm,
        perm_is_elsewhere=_mounts_on_perm(etc.text(MOUNT_DEVICES)),
        http_port=etc.port("/etc/http-port.txt", 80),
        https_port=etc.port("/etc/https-port.txt", 443),
        tls="/etc/ssl/gokrazy-web.pem" in entries,
        password=password or own_password or None,
        breakglass=_breakglass(programs, entries, init),
        draws=draws,
        has_agent=has_agent,
        has_serial_shell="/user/serial-busybox" in entries,
        has_other_shell=any(path in entries for path in _SHELLS),
        modules=dict(modules) if modules is not None else _modules([build_info(init), *programs.values()], sbom),
        sbom_hash=_sbom_hash(sbom),
        boot_files=tuple(sorted(boot.files())),
        boot_loader=_boot_loader(boot, arch),
        boot_sector=boot_sector_title(FileSource(path)),
        instance=instance,
        notes=tuple(found_notes),
    )


def _sbom_hash(text: str) -> str:
    """What gokrazy will report as SBOMHash (its sbom.go); "" for a file that init could not read either."""
    try:
        found = json.loads(text)["sbom_hash"] if text else ""
    except (ValueError, KeyError, TypeError):
        return ""
    return found if isinstance(found, str) else ""


def _mounts_on_perm(text: str) -> bool:
    """Whether init mounts a device on /perm, by this mountdevices.json; False for one that init could not read."""
    try:
        asked = json.loads(text) if text else None
        return any(str(one["Target"]).rstrip("/") == "/perm" for one in asked or ())
    except (ValueError, KeyError, TypeError):
        return False


class _Etc:
    """The small text files in /etc."""

    def __init__(self, root: SquashFs, entries: Mapping[str, Entry]) -> None:
        self._root = root
        self._entries = entries

    def text(self, path: str) -> str:
        """The content without surrounding blanks; "" when there is no such file."""
        if path not in self._entries:
            return ""
        return self._root.read(path).decode(errors="replace").strip()

    def port(self, path: str, default: int) -> int:
        """The port number in a file; raises ImageError when it is none."""
        text = self.text(path)
        if not text:
            return default
        if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
            raise ImageError(f"{path} holds no port number but {text[:40]!r}.", where=str(self._root.path))
        return int(text)


def _read_text(boot: FatVolume, name: str) -> str:
    return boot.read(name).decode(errors="replace")


def _arch(init: bytes, path: Path) -> Arch:
    found = architecture(init)
    arch = known(found)
    if arch is not None:
        return arch
    raise ImageError(
        f"The image's init is for {found}." if found else "The image's init is no program.",
        where=f"{_INIT} in {path}",
        hint=f"There are boards for {' and '.join(ARCHES)}; build the image with GOARCH set to one of them.",
    )


def _root(path: Path, layout: Layout, cmdline: str) -> SquashFs:
    """The root file system that the image boots from; raises ImageError that says which slot that is."""
    place = root_in_use(layout, cmdline)
    try:
        return SquashFs(path, place.offset)
    except ImageError as error:
        slot = "B" if place == layout.root_b else "A"
        raise ImageError(
            f"The image boots from slot {slot}, by its cmdline.txt. {error.what}",
            where=error.where,
            hint=error.hint,
            evidence=error.evidence,
        ) from error


def _must_fit(vmlinuz: bytes, arch: Arch, path: Path) -> None:
    """Raise ImageError for a kernel of another architecture than init is for; one that is unknown may fit."""
    found = kernel_arch(vmlinuz)
    if found not in ("", arch):
        raise ImageError(
            f"The image's init is for {arch}, but its kernel is for {found}: nothing starts both.",
            where=f"vmlinuz and {_INIT} in {path}",
            hint="Build the image with GOARCH and KernelPackage of the same architecture.",
        )


def _programs(entries: Mapping[str, Entry], init: bytes) -> list[str]:
    """The programs that init supervises, in its order: gokrazy's own, then the user's.

    It names each by its path. What else lies beside them was put there for others to run: they look for programs
    in these folders. A packed init, or one of the user's own, may name none.
    """
    found = []
    for folder in ("/gokrazy", "/user"):
        for name in _children(entries, folder):
            entry = entries[f"{folder}/{name}"]
            if entry.kind == "file" and entry.mode & 0o111 and entry.path != _INIT:
                found.append(entry.path)
    return [path for path in found if path.encode() in init] or found


def _children(entries: Mapping[str, Entry], folder: str) -> list[str]:
    prefix = folder + "/"
    return sorted(
        path[len(prefix) :] for path in entries if path.startswith(prefix) and "/" not in path[len(prefix) :]
    )


def _drivers(root: SquashFs, entries: Mapping[str, Entry]) -> tuple[str, ...]:
    """The drivers that are part of the kernel: gokrazy loads hardly any other by itself."""
    lists = [f"/lib/modules/{release}/modules.builtin" for release in _children(entries, "/lib/modules")]
    built_in = [line for name in lists if name in entries for line in root.read(name).decode().splitlines()]
    drivers = [line for line in built_in if line.startswith("kernel/drivers/")]
    return tuple(sorted({line.rsplit("/", 1)[-1].removesuffix(".ko") for line in drivers}))


def _perm_state(path: Path, layout: Layout, programs: Mapping[str, BuildInfo]) -> PermState:
    if layout.perm is None:
        return "blank"
    perm = FileSource(path, layout.perm.offset, layout.perm.size)
    states: dict[PermState, tuple[tuple[int, bytes], ...]] = {"ext4": (_EXT4_MAGIC,), "other": _OTHER_MAGIC}
    for state, magics in states.items():
        if any(perm.read_at(offset, len(magic)) == magic for offset, magic in magics):
            return state
    formats = any(name == "/user/mkfs" or formats_perm(info.package) for name, info in programs.items())
    return "mkfs" if formats else "blank"


def _breakglass(programs: Mapping[str, BuildInfo], entries: Mapping[str, Entry], init: bytes) -> Breakglass | None:
    path = next(
        (
            name
            for name, info in programs.items()
            if info.package == "github.com/gokrazy/breakglass" or name == "/user/breakglass"
        ),
        None,
    )
    if path is None:
        return None
    # Go keeps its string constants without separators: only a path that the image has shows where the flag ends.
    for match in _AUTHORIZED_KEYS.finditer(init):
        text = match.group(1).decode()
        names = [name for name, entry in entries.items() if entry.kind == "file" and text.startswith(name)]
        if names:
            return Breakglass(path=path, authorized_keys=max(names, key=len), has_keys=True)
    # Flag and value may stand apart: then init knows the path of a file that is named as such files are.
    apart = [name for name in entries if name.endswith("authorized_keys") and name.encode() in init]
    if len(apart) == 1 and b"-authorized_keys" in init:
        return Breakglass(path=path, authorized_keys=apart[0], has_keys=True)
    if _ELSEWHERE.search(init):
        return Breakglass(path=path, authorized_keys="")
    return Breakglass(path=path)


def _modules(infos: Sequence[BuildInfo], sbom: str) -> dict[str, str]:
    """Module -> version, from the programs themselves; what these do not say (packed ones), from the SBOM."""
    found: dict[str, str] = {}
    for info in infos:
        if info.go:
            found.setdefault(STANDARD_LIBRARY, info.go)
    for info in [*infos, BuildInfo(modules=modules_in(sbom))]:
        for module, version in info.modules.items():
            if version and version != "(devel)":
                found.setdefault(module, version)
    return dict(sorted(found.items()))


def _boot_loader(boot: FatVolume, arch: Arch) -> str:
    name = architecture_of(arch).efi_loader
    if not boot.exists(name):
        return ""
    content = boot.read(name)
    match = _LOADER_INFO.search(content)
    info = match.group(1).decode(errors="replace") if match else "unknown EFI boot loader"
    return f"{info} (sha256 {hashlib.sha256(content).hexdigest()})"
