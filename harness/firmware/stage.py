"""The stage between power-on and the kernel: what it finds on the disk, and what QEMU is given of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.image.model import Extent
from harness.image.source import ByteSource


class Disk(Protocol):
    """The disk of a machine that is off."""

    def source(self, extent: Extent) -> ByteSource:
        """A stretch of the disk to read from, for as long as the machine stays off."""
        ...


@dataclass(frozen=True)
class Loaded:
    """What QEMU is started with; all None for a machine whose firmware finds its way alone."""

    kernel: Path | None = None
    append: str | None = None
    """The kernel's command line, where the harness gives it."""
    dtb: Path | None = None
    initrd: Path | None = None
    code: Path | None = None
    """Firmware code for the first flash chip."""
    vars: Path | None = None
    """This machine's own copy of the firmware's variables, for the second."""
    notes: tuple[str, ...] = ()
    """What a reader of the report should know."""

    @property
    def files(self) -> dict[str, Path]:
        """Those of the fields that name a file."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Path)}


class Stage(Protocol):
    """One machine's firmware; it lives as long as the machine, over all of its resets."""

    def prepare(self, disk: Disk) -> Loaded:
        """Get ready for a power-on: called before every start of a QEMU; raises FirmwareFailure."""

    def keep(self, loaded: Loaded, folder: Path) -> Loaded:
        """Copy what ``loaded`` names into ``folder``, for machines that shall be restored from it."""

    def adopt(self, kept: Loaded) -> Loaded:
        """Take what ``keep`` put away as the state of this machine's firmware, in place of ``prepare``."""
