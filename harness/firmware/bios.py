"""SeaBIOS: part of QEMU, starts the boot sector of the image, keeps no state."""

from __future__ import annotations

from pathlib import Path

from harness.firmware.stage import Disk, Loaded


class BiosStage:
    """Nothing to prepare: SeaBIOS comes with QEMU."""

    def prepare(self, disk: Disk) -> Loaded:  # noqa: ARG002  every stage is asked alike
        """Nothing is loaded by the harness."""
        return Loaded()

    def keep(self, loaded: Loaded, folder: Path) -> Loaded:  # noqa: ARG002
        """There is nothing to keep."""
        return loaded

    def adopt(self, kept: Loaded) -> Loaded:
        """There is nothing to take over."""
        return kept
