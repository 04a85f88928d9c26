"""What an image is: a disk file with a digest, and what was read out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.image.arch import Arch
from harness.image.digest import content_digest

Builder = Literal["gok", "own", "given"]
PermState = Literal["ext4", "other", "blank", "mkfs"]
"""What is on the permanent partition: a file system that the harness can write to, another one that gokrazy
mounts, nothing, or nothing until a program of the image (gokrazy's mkfs) formats it and reboots."""
PERM_TITLES: Mapping[PermState, str] = {
    "ext4": "formatted",
    "other": "formatted with something else than ext4",
    "blank": "blank",
    "mkfs": "blank until its own mkfs formats it",
}
_FORMATS_PERM = ("github.com/gokrazy/mkfs", "github.com/gokrazy/mkfs.bcachefs")

SECTOR = 512


@dataclass(frozen=True)
class Extent:
    """A stretch of the disk, in bytes."""

    offset: int
    size: int


@dataclass(frozen=True)
class Layout:
    """Where the four partitions lie on the disk."""

    boot: Extent
    root_a: Extent
    root_b: Extent
    perm: Extent | None


@dataclass(frozen=True)
class Service:
    """A program that init supervises, as the image configures it.

    ``path`` is what the device calls it (``/user/hello``), ``package`` its Go import path ("" if unknown).
    ``starts`` says whether init starts it at boot, keeps it stopped, or waits for the clock first.
    """

    path: str
    package: str = ""
    args: tuple[str, ...] = ()
    starts: Literal["boot", "manual", "after-clock"] = "boot"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Breakglass:
    """How breakglass is configured in an image: paths are on the device."""

    path: str = "/user/breakglass"
    port: int = 22
    authorized_keys: str = "/perm/breakglass.authorized_keys"
    """Where it looks for the keys that it takes; "" where a finished image does not say."""
    has_keys: bool = False
    """Whether the image itself carries the authorized keys file."""


@dataclass(frozen=True)
class Kernel:
    """The kernel in the boot partition and the modules in the root file system."""

    release: str
    """What ``uname -r`` will say, read from the kernel file itself; "" when it could not be read."""
    modules: tuple[str, ...] = ()
    """The directories under /lib/modules."""
    package: str = ""
    version: str = ""
    sha256: str = ""
    """Of vmlinuz in the boot partition, in hex."""
    drivers: tuple[str, ...] = field(default=(), repr=False)
    """The drivers that are part of it, such as ``virtio-gpu``; empty where its list of modules does not say."""

    @property
    def fits_modules(self) -> bool:
        """Whether /lib/modules has modules for this kernel, or none at all, as far as its file says."""
        return not self.release or not self.modules or self.release in self.modules

    def is_release(self, running: str) -> bool:
        """Whether a kernel that says this of itself is this one, as far as its file says."""
        return self.release in ("", running)


@dataclass(frozen=True)
class Image:
    """A gokrazy disk image: immutable, identified by the digest of its bytes."""

    path: Path
    """A raw disk image; never written to."""
    digest: str
    """Of the file's size and its blocks that are not all zero, in hex: not what ``sha256sum`` prints."""
    size: int
    """Bytes."""
    arch: Arch
    hostname: str
    build: str
    """The build timestamp that the device reports (RFC 3339); "" when it could not be read."""
    builder: Builder
    layout: Layout
    kernel: Kernel
    cmdline: str
    """cmdline.txt as it is in the boot partition, without the padding."""
    services: tuple[Service, ...]
    """In the order in which init starts them; for a finished image, what was found in /gokrazy and /user."""
    perm: PermState
    """At the first start of an appliance."""
    http_port: int = 80
    https_port: int = 443
    tls: bool = False
    password: str | None = field(default=None, repr=False)
    """The web interface's password; None when the image has none, and so serves nobody over TCP."""
    breakglass: Breakglass | None = None
    draws: bool = False
    """Whether one of its services' programs names a frame buffer or display."""
    has_agent: bool = False
    """Whether one of its services' programs names the channel of QEMU's guest agent."""
    has_serial_shell: bool = False
    has_other_shell: bool = False
    """Whether there is a shell for breakglass besides that of serial-busybox."""
    modules: Mapping[str, str] = field(default_factory=dict)
    """Go module path -> version, of everything that went in, as far as known."""
    sbom_hash: str = ""
    """The hash of the software bill of materials, which the device reports; "" when the image has none."""
    boot_files: tuple[str, ...] = ()
    """The paths of all files in the boot partition."""
    extra_files: tuple[str, ...] | None = None
    """What its packages and its configuration bring into the root file system, by path; None where unknown."""
    boot_loader: str = ""
    """Version and digest of the EFI boot loader in the image, as far as known."""
    boot_sector: str = ""
    """Where the PC boot sector is from, and its digest, as far as known."""
    instance: str = ""
    """The instance folder it was built from, "" for a finished image."""
    perm_is_elsewhere: bool = False
    """Whether MountDevices puts another disk on /perm."""
    perm_is_made: bool = False
    """Whether the disk of each appliance gets its /perm before the first start: ``path`` has it otherwise."""
    notes: tuple[str, ...] = ()
    """What a reader of the report should know about how it was made."""

    def is_intact(self) -> bool:
        """Whether its file still has the content that ``digest`` identifies; reads all of it but the holes."""
        return content_digest(self.path) == self.digest

    @property
    def formats_perm(self) -> bool:
        """Whether its first start is two: a program formats /perm, and reboots so that it is mounted."""
        return self.perm == "mkfs"

    @property
    def formatter(self) -> Service | None:
        """The program that formats /perm where it is not mounted."""
        packages = (service for service in self.services if formats_perm(service.package))
        return next(packages, self.service("mkfs"))

    @property
    def starts_dhcp(self) -> bool:
        """Whether it starts gokrazy's DHCP client at boot, as far as it says; else it may get no address."""
        dhcp = self.service("dhcp")
        return dhcp is not None and dhcp.starts != "manual"

    @property
    def serves_tcp(self) -> bool:
        """Whether the web interface can be reached: without a password it listens on a Unix socket of the device.

        Source: gokrazy's listeners.go and gokrazy.go, which reads no password where the image has no such file.
        """
        return self.password is not None

    @property
    def has_shell(self) -> bool:
        """Whether breakglass finds a shell (its ssh.go): else it runs programs, and no lines of shell."""
        return self.has_serial_shell or self.has_other_shell

    def service(self, name: str) -> Service | None:
        """The service with this path or last path element, or None."""
        for service in self.services:
            if name in (service.path, service.name):
                return service
        return None


@dataclass(frozen=True)
class UpdateFiles:
    """The three files that an update sends, as ``gok overwrite --root --boot --mbr`` would write them."""

    root: Path
    boot: Path
    mbr: Path


def formats_perm(package: str) -> bool:
    """Whether the program of a Go package formats /perm where that is not mounted, and then reboots."""
    return any(package == name or package.startswith(f"{name}/") for name in _FORMATS_PERM)
