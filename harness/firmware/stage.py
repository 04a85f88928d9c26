"""The records of a firmware stage: the disk that it reads, and what QEMU is started with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.image.model import Extent
from harness.image.source import ByteSource


class Disk(Protocol):
    """The disk of a machine that is off."""

    def source(self, extent: Extent) -> ByteSource:
        """A part of the disk; it can be read as long as the machine stays off."""
        ...


@dataclass(frozen=True)
class Loaded:
    """What QEMU is started with; no field is set where the firmware in QEMU reads the disk itself."""

    kernel: Path | None = None
    append: str | None = None
    """The kernel's command line, where the harness loads the kernel."""
    dtb: Path | None = None
    initrd: Path | None = None
    code: Path | None = None
    """Firmware code for the first flash chip."""
    vars: Path | None = None
    """This machine's own copy of the firmware's variables, for the second flash chip."""
    notes: tuple[str, ...] = ()
    """Lines for the report: what a reader must know about this start."""

    @property
    def files(self) -> dict[str, Path]:
        """Those of the fields that name a file."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Path)}


class Stage(Protocol):
    """The firmware of one machine, from its first power-on through all of its resets."""

    def prepare(self, disk: Disk) -> Loaded:
        """Prepare a power-on; called before every start of QEMU. Raises FirmwareFailure."""

    def keep(self, loaded: Loaded, folder: Path) -> Loaded:
        """Copy the files of ``loaded`` that a snapshot needs into its ``folder``; returns them there."""

    def adopt(self, kept: Loaded) -> Loaded:
        """Continue from ``kept``, which ``keep`` returned: a restored machine does this instead of ``prepare``."""
