"""Candidate: what was uploaded for a bakery, as the image that a board is to run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness.appliance.demands import demand
from harness.boards import Board, Boot
from harness.bootery.carrier import Carrier, mbr_for
from harness.errors import ApplianceFault, ImageError
from harness.image.boot_sector import fit_on
from harness.image.disk import DiskParts, disk_signature, partuuid, write_disk_with
from harness.image.fat_volume import FatVolume
from harness.image.kernel_file import kernel_arch
from harness.image.load import load_raw
from harness.image.model import Image, UpdateFiles
from harness.image.source import FileSource

_ROOT = re.compile(r"root=(\S+)")
FITS = "kernel-and-modules-fit"


@dataclass(frozen=True)
class Candidate:
    """What a device is to install: the files as they came, and all that is known of them."""

    image: Image
    """The disk that they make."""
    files: UpdateFiles
    with_root: bool
    """Whether the root file system was uploaded, too; else it is the carrier's."""
    notes: tuple[str, ...] = ()
    """What a reader of the log should know."""

    def must_fit(self, board: Board) -> None:
        """Raise ImageError for what this board cannot start, whatever happens on the way."""
        image = self.image
        if misfit := board.misfit(image):
            raise ImageError(f"{board.name} cannot start what was uploaded: {misfit}", where=image.hostname)
        fit = fit_on(FileSource(image.path)) if board.boot is Boot.BIOS else None
        if fit is not None and not fit.fits:
            raise ImageError(f"{board.name} cannot start it: {fit.sizes}", where="vmlinuz")


def candidate(boot: Path, root: Path | None, carrier: Carrier) -> Candidate:
    """What was uploaded for the bakery of a carrier; its disk is written beside ``boot``.

    Raises ImageError for what no device could start, ApplianceFault where kernel and modules do not match.
    """
    hostname = carrier.hostname
    volume = FatVolume.open(boot)
    _must_be_for(volume, hostname)
    kernel = kernel_arch(volume.read("vmlinuz"))
    if kernel not in ("", carrier.image.arch):
        raise ImageError(
            f"vmlinuz is a kernel for {kernel}, and {hostname} is {carrier.image.arch}", where="vmlinuz"
        )
    mbr, disk = boot.with_suffix(".mbr"), boot.with_suffix(".disk")
    mbr.write_bytes(mbr_for(carrier.files.mbr, boot, hostname))
    files = UpdateFiles(root=root or carrier.files.root, boot=boot, mbr=mbr)
    parts = DiskParts(
        arch=carrier.image.arch,
        boot=boot,
        root=files.root,
        size=carrier.image.size,
        perm="blank",
        perm_seed="",
        mtime=0,
    )
    write_disk_with(disk, parts, first_sector=mbr.read_bytes(), signature=disk_signature(hostname))
    image = load_raw(disk)
    seen: dict[str, str] = {}
    if root is not None:
        # By the files alone: whoever packs a kernel from a checkout has the version of another in its go.mod.
        with demand(FITS, {}, image.kernel, seen):
            _must_match(image)
    return Candidate(image, files, root is not None, tuple(seen.values()))


def _must_be_for(volume: FatVolume, hostname: str) -> None:
    """Raise ImageError for a boot file system that looks for the disk of another bakery."""
    text = volume.read("cmdline.txt").decode(errors="replace")
    named = _ROOT.search(text)
    wanted = partuuid(hostname, 1)
    if named is None or wanted not in named[1].lower():
        raise ImageError(
            f"the boot file system is not for {hostname}: "
            + (f"it looks for root={named[1]}" if named else "its kernel command line names no root"),
            where="cmdline.txt",
            hint=f"set Hostname of the instance to {hostname} before it is packed; its disk has PARTUUID={wanted}",
        )


def _must_match(image: Image) -> None:
    """Raise ApplianceFault where no module that came along can be loaded into the kernel that came."""
    kernel = image.kernel
    if not kernel.fits_modules:
        raise ApplianceFault(
            f"vmlinuz is Linux {kernel.release}, lib/modules is {', '.join(kernel.modules)}",
            where="vmlinuz and lib/modules",
            hint="no module can be loaded: upload kernel and modules of the same build",
        )
