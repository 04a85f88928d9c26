"""Assembly: all that one appliance is put together from, made by the lab and handed over whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.appliance.console_link import ConsoleLink
from harness.appliance.failed_starts import Start
from harness.appliance.gok_config import GokConfig, Reached
from harness.boards import Board, Boot, Budget
from harness.console.crashes import Table
from harness.firmware.voice import Voice
from harness.gokrazy.expected import Expectations
from harness.image.model import Image, UpdateFiles
from harness.machine.equipment import Equipment
from harness.machine.power import Power


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

    board: Board
    equipment: Equipment
    """What its machine has beyond the board."""
    power: Callable[[ConsoleLink], Power]
    """Makes its switch, given who takes its console and hears of its machine."""
    image: Image
    """What its disk has at first."""
    budget: Budget
    """The limits of all waits, in seconds, for this board and accelerator."""
    disks: Path
    """The folder of its disk, and of what is made of that: removed at its end."""
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
    gok_config: Callable[[Image, Reached], GokConfig] | None = None
    """Writes what gok needs to talk to the appliance while this image runs."""
    quirks: bool = True
    """Whether the device tree of a Raspberry Pi is made to fit QEMU's boards."""

    @property
    def title(self) -> str:
        """How errors name the appliance."""
        # On a Raspberry Pi board that is the likeliest reason for whatever the console is blamed for.
        without = " with --gk-no-quirks" if not self.quirks and self.board.boot is Boot.RASPBERRY else ""
        return f"{self.image.hostname} on {self.board.name}{without}"
