"""The harness as boot loader: what the image's boot partition says at this moment is what QEMU is started with."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from harness.errors import FirmwareFailure, HostDiskFull, ImageError
from harness.firmware.stage import Disk, Loaded
from harness.firmware.uefi import copy_sparse
from harness.image.fat_volume import FatVolume
from harness.image.model import Extent

MAGICS = ((56, b"ARM\x64"), (514, b"HdrS"), (0, b"\x1f\x8b"), (4, b"zimg"))
"""Where the headers of kernels stand: arm64 (booting.rst), x86 (boot.rst), gzip, EFI zboot."""
KERNEL = "vmlinuz"
CMDLINE = "cmdline.txt"
ROOTDELAY = re.compile(r"(?:^|\s)rootdelay=\S+")


class DirectStage:
    """Reads ``vmlinuz`` and ``cmdline.txt`` from the boot partition before every start, so that a flip shows.

    It changes nothing of the image: ``fast_boot`` edits the command line on its way to QEMU only.
    """

    def __init__(self, boot: Extent, folder: Path, *, fast_boot: bool = False) -> None:
        self._boot = boot
        self._folder = folder
        self._fast_boot = fast_boot

    def prepare(self, disk: Disk) -> Loaded:
        """Read the boot partition; raises FirmwareFailure when it has nothing that could be started."""
        partition = self._folder / "boot.fat"
        disk.extract(self._boot, partition)
        try:
            volume = FatVolume.open(partition)
            kernel = self._read(volume, KERNEL)
            cmdline = self._read(volume, CMDLINE)
        except ImageError as error:
            raise FirmwareFailure(
                "the boot partition is damaged: its file system cannot be read",
                where=f"partition 1, at byte {self._boot.offset}",
                hint="the last update of the boot file system may have been cut short",
                evidence=error.what,
            ) from error
        finally:
            partition.unlink(missing_ok=True)
        self._must_be_a_kernel(kernel)
        append = self._append(cmdline)
        path = self._folder / KERNEL
        try:
            # A new file, not new content: a capture may hold a link to the old one.
            path.unlink(missing_ok=True)
            path.write_bytes(kernel)
        except OSError as error:
            raise HostDiskFull(f"cannot write the kernel: {error.strerror}", where=str(path)) from error
        notes = ["no boot loader is tested: the harness starts the kernel of the boot partition"]
        if self._fast_boot and append != self._plain(cmdline):
            notes.append("rootdelay was dropped from the kernel's command line")
        return Loaded(kernel=path, append=append, notes=tuple(notes))

    def keep(self, loaded: Loaded, folder: Path) -> Loaded:
        """Keep the kernel: by a link where the file systems allow, else by a copy."""
        if loaded.kernel is None:
            return loaded
        kept = folder / loaded.kernel.name
        try:
            kept.hardlink_to(loaded.kernel)
        except OSError:
            copy_sparse(loaded.kernel, kept)
        return replace(loaded, kernel=kept)

    def adopt(self, kept: Loaded) -> Loaded:
        """QEMU wants the kernel's file at a restore too, but only reads it: no copy is needed."""
        return kept

    def _read(self, volume: FatVolume, name: str) -> bytes:
        if not volume.exists(name):
            there = ", ".join(sorted(volume.files())) or "nothing"
            raise FirmwareFailure(
                f"there is no {name} in the boot partition",
                where=f"partition 1, at byte {self._boot.offset}",
                evidence=f"the boot partition holds: {there}",
            )
        data = volume.read(name)
        if not data.strip(b"\0 \r\n"):
            raise FirmwareFailure(
                f"{name} in the boot partition is empty", where=f"partition 1, at byte {self._boot.offset}"
            )
        return data

    def _must_be_a_kernel(self, kernel: bytes) -> None:
        """QEMU starts whatever it is given: without this, a damaged kernel would only be silent."""
        if not any(kernel[at : at + len(magic)] == magic for at, magic in MAGICS):
            raise FirmwareFailure(
                f"{KERNEL} in the boot partition is no Linux kernel: it does not begin like one",
                where=f"partition 1, at byte {self._boot.offset}",
                hint="the last update of the boot file system may have been cut short",
                evidence=f"it begins with {kernel[:16].hex(' ')}",
            )

    def _append(self, cmdline: bytes) -> str:
        append = self._plain(cmdline)
        if "root=" not in append:
            raise FirmwareFailure(
                f"{CMDLINE} in the boot partition names no root file system",
                where=f"partition 1, at byte {self._boot.offset}",
                evidence=append,
            )
        return ROOTDELAY.sub("", append).strip() if self._fast_boot else append

    @staticmethod
    def _plain(cmdline: bytes) -> str:
        """The command line as a loader passes it on: its first line, without the padding."""
        text = cmdline.split(b"\0")[0].decode("ascii", errors="replace")
        return text.splitlines()[0].strip() if text.strip() else ""
