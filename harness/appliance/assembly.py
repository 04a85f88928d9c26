"""Assembly: all that one appliance is put together from, made by the lab and handed over whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.appliance.failed_starts import Start
from harness.boards import Boot, Budget
from harness.console.crashes import Table
from harness.firmware.stage import Stage
from harness.firmware.voice import Voice
from harness.gokrazy.expected import Expectations
from harness.image.model import Image, UpdateFiles
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.run_dir import RunDir
from harness.machine.spec import Spec


@dataclass(frozen=True)
class Access:
    """Who can enter breakglass on an appliance."""

    key: Path | None = None
    """The private key that breakglass accepts, None when no such key is known."""
    no_key: str = ""
    """Why no such key is known, "" when one is or when the image has no breakglass."""


@dataclass(frozen=True)
class Assembly:
    """What an appliance is made of. Whoever makes one gives the disk its content and its size first."""

    spec: Spec
    """What its machine is to be."""
    image: Image
    """What its disk has at first."""
    budget: Budget
    """The limits of all waits, in seconds, for this board and accelerator."""
    overlay: DiskOverlay
    """Its disk."""
    stage: Stage
    """The firmware of the board."""
    run_dir: RunDir
    folder: Path
    """Where its logs go; it exists and is empty."""
    files_of: Callable[[Image], UpdateFiles]
    """Makes the three files that an update to an image sends."""
    voice_of: Callable[[Image], Voice]
    """Finds out who is heard on the serial port when an image runs."""
    access: Access = field(default_factory=Access)
    expected: Expectations = field(default_factory=Expectations)
    """What the owner of the instance says of its services."""
    table: Table = field(default_factory=Table)
    """What is looked for on the console."""
    allow: tuple[str, ...] = ()
    """Checks of the console that may fit in this test."""
    first_start: Start | None = None
    """What became of starts of this image in this run; None when no start may stand for another."""

    @property
    def title(self) -> str:
        """How errors name the appliance."""
        board = self.spec.board
        # On a Raspberry Pi board that is the likeliest reason for whatever the console is blamed for.
        without = " with --gk-no-quirks" if not self.spec.quirks and board.boot is Boot.RASPBERRY else ""
        return f"{self.image.hostname} on {board.name}{without}"
