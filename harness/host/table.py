"""The one table of what the harness needs from its host.

``gokharness doctor`` reads it, and so does ``ci/setup`` before anything is installed: standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.image.arch import ARCHITECTURES, NAMES, architecture_of, known

Version = tuple[int, ...]

GO_MINIMUM: Version = (1, 24)
"""What gokrazy itself asks for in its go.mod."""


@dataclass(frozen=True)
class Requirement:
    """A program, some files or a Python module, what it is for, and the Debian package that has it."""

    name: str
    why: str
    package: str
    minimum: Version = ()
    """The lowest version that is known to do; () when any will."""
    ask: tuple[str, ...] = ("--version",)
    """Arguments that make a program print its version."""
    backports: bool = False
    """Whether Debian 12 has it new enough in bookworm-backports only."""
    files: tuple[str, ...] = ()
    """When given, the requirement is these files, all of them, and ``name`` is only a title."""
    elsewhere: tuple[tuple[str, ...], ...] = ()
    """What other distributions have in their place."""
    module: str = ""
    """When given, the requirement is this module of the system's Python."""


def uefi_firmware(arch: str) -> str:
    """The title of the requirement for this architecture's UEFI firmware."""
    return f"UEFI firmware, {arch}"


def table(machine: str) -> tuple[Requirement, ...]:
    """Everything that a host of this architecture (amd64, arm64) must have."""
    loader = architecture_of(known(machine) or NAMES[0]).systemd_boot
    return (
        Requirement(
            name="python3 venv",
            why="makes the environment that the harness lives in",
            package="python3-venv",
            module="ensurepip",
        ),
        *(
            Requirement(
                name=row.qemu,
                why=f"plays the {row.title} boards",
                package=row.qemu_package,
                minimum=(9, 0),
                backports=True,
            )
            for row in ARCHITECTURES
        ),
        Requirement(
            name="qemu-img",
            why="makes overlays and reads qcow2 images",
            package="qemu-utils",
            minimum=(9, 0),
            backports=True,
        ),
        *(
            Requirement(
                name=uefi_firmware(row.name),
                why=f"starts the {row.title} boards that have UEFI",
                package=row.edk2_package,
                files=row.edk2[0].names,
                elsewhere=tuple(files.names for files in row.edk2[1:]),
            )
            for row in ARCHITECTURES
        ),
        Requirement(
            name="systemd-boot",
            why="goes into the images as their UEFI boot loader",
            package="systemd-boot-efi",
            files=(f"/usr/lib/systemd/boot/efi/{loader}",),
        ),
        Requirement(
            name="mksquashfs",
            why="packs the root file system",
            package="squashfs-tools",
            minimum=(4, 5),
            ask=("-version",),
        ),
        Requirement(
            name="unsquashfs",
            why="reads the root file system of a finished image",
            package="squashfs-tools",
            minimum=(4, 5),
            ask=("-version",),
        ),
        Requirement(
            name="mke2fs",
            why="formats /perm",
            package="e2fsprogs",
            minimum=(1, 47),
            ask=("-V",),
        ),
        Requirement(
            name="debugfs",
            why="reads and fills /perm",
            package="e2fsprogs",
            minimum=(1, 47),
            ask=("-V",),
        ),
        Requirement(
            name="e2fsck",
            why="mends /perm after a power cut, before it is read or written",
            package="e2fsprogs",
            minimum=(1, 47),
            ask=("-V",),
        ),
        Requirement(
            name="CA certificates",
            why="go into the images, and let Go fetch modules",
            package="ca-certificates",
            files=("/etc/ssl/certs/ca-certificates.crt",),
            elsewhere=(("/etc/pki/tls/certs/ca-bundle.crt",), ("/etc/ssl/ca-bundle.pem",), ("/etc/ssl/cert.pem",)),
        ),
    )
