"""What one machine is to be: one record, made once and handed down whole."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.boards import Board
from harness.machine.accelerator import Accelerator
from harness.machine.equipment import Equipment
from harness.machine.qemu import QemuProgram

Threads = Literal["multi", "single"]
"""Whether TCG has a thread for each processor, or one for all."""

Nursed = Literal["no", "console", "disk"]
"""By what one knows when init runs: by the console's word, or by what was read from the disk."""


@dataclass(frozen=True)
class Spec:
    """One machine over its whole life, however many QEMU processes that takes (each is a ``Launch``).

    All that the guest sees of it belongs to the identity of a snapshot. ``harness.machine.identity`` says of every
    other field why it does not.
    """

    board: Board
    """As it is for the image: see ``Board.fitted``."""
    qemu: QemuProgram
    accelerator: Accelerator
    equipment: Equipment = field(default_factory=Equipment)
    """Memory, processors, disks, ports: given as asked for, kept as a machine of this board gets them."""
    reboots: bool = False
    """Whether it will boot again after it was restored."""
    nurse_network: Nursed = "no"
    """Whether the network comes late where the board says why it must; see ``LateNetwork``."""
    memory_file: Path | None = None
    """The memory of a machine that is switched on for a snapshot is this file; None for any other machine."""
    record_in: Path | None = None
    """The folder for what QEMU logs of its execution; None for a machine that is not recorded."""
    fast_boot: bool = False
    """Whether the kernel's wait for slow disks is dropped where the harness gives the command line."""
    quirks: bool = True
    """Whether the device tree of a Raspberry Pi is made to fit QEMU's boards."""

    def __post_init__(self) -> None:
        """Fit the equipment to the board."""
        object.__setattr__(self, "equipment", self.equipment.on(self.board))

    @property
    def for_snapshot(self) -> bool:
        """Whether it is switched on so that a snapshot can be taken."""
        return self.memory_file is not None

    def threads(self, *, restored: bool) -> Threads:
        """The threads of a QEMU process whose machine boots, or is ``restored`` and may boot later.

        On some boards QEMU mixes up what several processors do while they boot, or they hinder each other: there,
        one that boots gets one.
        """
        needs = self.board.workarounds
        # QEMU logs, and counts, the instructions of one thread only.
        alone = self.record_in is not None or (needs.one_thread_at_boot and (self.reboots or not restored))
        if needs.waiting_processors and not restored:
            # A machine that was restored has a new process when it boots again.
            alone = alone or len(os.sched_getaffinity(0)) < self.equipment.cpus
        return "single" if alone else "multi"
