"""The boot partition as a boot loader reads it; the errors answer what the owner of a dead device would ask."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import FirmwareFailure, HostDiskFull, ImageError
from harness.firmware.stage import Disk
from harness.image.arch import Arch, known
from harness.image.fat_volume import FatVolume
from harness.image.kernel_file import begins_like_a_kernel, kernel_arch
from harness.image.model import Extent

CUT_SHORT = "the last update of the boot file system may have been cut short"
FOREIGN = "an update for another architecture was sent: put the boot files of the image that ran before back"
_NAMED = 30
"""File names in an error at most; a Raspberry Pi's boot partition has 400 files."""
_BLANK = 4096
"""Bytes that are read first: nearly every file has others than blanks there, and a whole kernel takes long."""
_ROOT = re.compile(r"(?:^|\s)root=\S")


class BootPartition:
    """The files of the boot partition; reading raises FirmwareFailure, or ImageError where the FAT is damaged."""

    def __init__(self, volume: FatVolume, boot: Extent) -> None:
        self._volume = volume
        self.where = f"partition 1, at byte {boot.offset}"

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name, in upper or lower case."""
        return self._volume.exists(name)

    def find(self, name: str) -> bytes | None:
        """The content of a file, None when it does not exist."""
        return self._volume.read(name) if self._volume.exists(name) else None

    def read(self, name: str, *, hint: str = "") -> bytes:
        """The content of a file that must exist and not be blank; ``hint`` is for the error when it is missing."""
        if not self._volume.exists(name):
            raise FirmwareFailure(
                f"there is no {name} in the boot partition",
                where=self.where,
                hint=hint,
                evidence=f"the boot partition holds: {self.listing()}",
            )
        data = self._volume.read(name)
        if not data[:_BLANK].strip(b"\0 \r\n") and not data.strip(b"\0 \r\n"):
            raise FirmwareFailure(f"{name} in the boot partition is empty", where=self.where, hint=CUT_SHORT)
        return data

    def kernel(self, name: str, *, arch: Arch | None = None, hint: str = "") -> bytes:
        """The content of a file that begins like a kernel, and like one for ``arch`` if that is given.

        QEMU starts any file. Without this check, a damaged kernel would only be silent.
        """
        kernel = self.read(name, hint=hint)
        if kernel_arch(kernel[:1024]) == "arm":
            raise FirmwareFailure(
                f"{name} in the boot partition is a 32-bit kernel, which no board here starts",
                where=self.where,
                hint="gokrazy is 64-bit: use a kernel package such as github.com/gokrazy/kernel.rpi",
            )
        found = known(kernel_arch(kernel[:1024]))
        if arch is not None and found not in (None, arch):
            raise FirmwareFailure(
                f"{name} in the boot partition is a kernel for {found}, and this board is {arch}",
                where=self.where,
                hint=FOREIGN,
            )
        if not begins_like_a_kernel(kernel):
            raise FirmwareFailure(
                f"{name} in the boot partition is no Linux kernel: it does not begin like one",
                where=self.where,
                hint=CUT_SHORT,
                evidence=f"it begins with {kernel[:16].hex(' ')}",
            )
        return kernel

    def command_line(self, name: str) -> str:
        """The kernel's command line as a loader passes it on: the file's first line, without the padding."""
        text = self.read(name).split(b"\0")[0].decode("ascii", errors="replace")
        line = text.splitlines()[0].strip() if text.strip() else ""
        if not _ROOT.search(line):
            raise FirmwareFailure(
                f"{name} in the boot partition names no root file system (root=)",
                where=self.where,
                hint=f"compare it with that of a fresh build; {CUT_SHORT}",
                evidence=line,
            )
        return line

    def listing(self) -> str:
        """The names of the files, those at the top first, and a number in place of what would be too many."""
        names = sorted(self._volume.files(), key=lambda name: (name.count("/"), name))
        rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return (", ".join(names[:_NAMED]) or "nothing") + rest


@contextmanager
def boot_partition(disk: Disk, boot: Extent) -> Iterator[BootPartition]:
    """Read the boot partition of a machine that is off; a damaged file system becomes FirmwareFailure."""
    try:
        yield BootPartition(FatVolume.open(disk.source(boot)), boot)
    except ImageError as error:
        raise FirmwareFailure(
            "the boot partition is damaged: its file system cannot be read",
            where=f"partition 1, at byte {boot.offset}",
            hint=CUT_SHORT,
            evidence=error.what,
        ) from error


def write_anew(path: Path, data: bytes) -> Path:
    """Write a new file for QEMU in place of the old one, to which a snapshot may have a hard link."""
    try:
        path.unlink(missing_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise HostDiskFull(f"cannot write {path.name}: {error.strerror}", where=str(path)) from error
    return path
