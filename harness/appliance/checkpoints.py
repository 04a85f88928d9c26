"""Checkpoints: snapshots of one appliance, disk and memory together, to which it returns within its test."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.appliance.cold_start import ColdStart
from harness.console.phases import Boot
from harness.errors import OptionError
from harness.image.model import Image
from harness.machine.power import Power
from harness.machine.snapshot import Snapshot


@dataclass(frozen=True)
class CheckpointState:
    """What is known of an appliance at the moment of a snapshot, beside its machine."""

    start: ColdStart | None
    boot: Boot | None
    """The boot that ran, None without a console."""
    image: Image
    """What ran."""


class Checkpoints:
    """The checkpoints of one appliance by their names; their disks are in ``folder``."""

    def __init__(self, power: Power, folder: Path) -> None:
        self._power = power
        self.folder = folder
        self._numbers = itertools.count(1)
        self._kept: dict[str, tuple[Snapshot, CheckpointState]] = {}

    def keep(self, name: str, state: CheckpointState) -> None:
        """Take a snapshot of the machine, and end it.

        Raises OptionError where the board allows no snapshot, or the machine is off.
        """
        board = self._power.board
        if not board.can_checkpoint:
            raise OptionError(
                f"there is no checkpoint {name!r}: {board.no_checkpoint}",
                hint="run the test on other boards (gk_board), or cold_boot() an appliance for each step",
            )
        if self._power.recorder is not None:
            raise OptionError(
                f"there is no checkpoint {name!r} of an appliance that is recorded", hint="leave out --gk-record"
            )
        if not self._power.is_on:
            raise OptionError(f"there is no checkpoint {name!r} of an appliance that is off", where=board.name)
        self._kept[name] = self._power.checkpoint(self._new("checkpoint")), state

    def rewind(self, name: str, begin: Callable[[CheckpointState], None]) -> CheckpointState:
        """End the machine, and continue from a snapshot; ``begin`` gets its state before the machine runs.

        Raises OptionError for a name that is none.
        """
        if name not in self._kept:
            known = ", ".join(map(repr, self._kept)) or "none"
            raise OptionError(f"there is no checkpoint {name!r}", hint=f"checkpoints of this appliance: {known}")
        snapshot, state = self._kept[name]
        left = self._power.overlay
        begin(state)
        self._power.rewind(snapshot, self._new("disk"))
        # Nobody needs what was written since; the disk of each checkpoint lies in a folder of its own.
        left.remove()
        if left.path.parent != self.folder:
            left.path.parent.rmdir()
        return state

    def close(self) -> None:
        """Remove the disks."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _new(self, name: str) -> Path:
        folder = self.folder / f"{name}-{next(self._numbers)}"
        folder.mkdir(mode=0o700)
        return folder
