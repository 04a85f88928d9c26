"""Restoration: snapshots of an appliance, restored for other tests or rewound to within one."""

from __future__ import annotations

import time
from pathlib import Path

from harness.appliance.assembly import Assembly
from harness.appliance.checkpoints import Checkpoints, CheckpointState
from harness.appliance.clock import DeviceClock
from harness.appliance.cold_start import ColdStart
from harness.appliance.life import Life
from harness.appliance.time_line import Lane
from harness.console.phases import Cause
from harness.errors import InternalError
from harness.machine.snapshot import Snapshot


class Restoration(Life, DeviceClock):
    """The part of an appliance that returns to what its disk and memory were at an earlier moment."""

    def __init__(self, made: Assembly) -> None:
        super().__init__(made)
        self._checkpoints = Checkpoints(self.power, made.disks)

    # -- for other tests

    def take_snapshot(self, folder: Path, *, base: Path) -> tuple[Snapshot, ColdStart]:
        """Take a snapshot and end the machine; disks of restored appliances lie directly on the image ``base``."""
        if self.cold_start is None:
            raise InternalError(
                "a snapshot can only be taken of an appliance that is ready", where=self.console.name
            )
        return self.power.snapshot(folder, base=base), self.cold_start

    def restore(self, snapshot: Snapshot, start: ColdStart) -> None:
        """Restore it from a snapshot of another; one that was taken without a network gets its network now."""
        began = time.monotonic()
        boots = len(self.console.boots)
        if start.boot is not None:
            self.time_line.add(Lane.BOOT, f"the snapshot is of {start.boot}")
        with self.time_line.during(Lane.POWER, "restored from the run's snapshot"):
            self._resumes_at(CheckpointState(start, start.boot, self.running))
            self.power.restore(snapshot)
            if self.board.workarounds.nic_after_restore and self.can("http"):
                self._until_it_listens(boots, self.budget.ready)
            self._ask_the_time(self.budget.ready)
            self.check()
        ready = time.monotonic() - began
        if self.board.workarounds.nic_after_restore:
            self.cold_start = start.continued(self.console.current, ready)
        self._ready.append(("warm", {"ready": ready} if self.can("http") else {}))

    def resume(self, snapshot: Snapshot, state: CheckpointState) -> None:
        """Let it go on where another was left, perhaps broken: nothing is asked of it, and nothing awaited."""
        self._resumes_at(state)
        self.power.restore(snapshot)

    # -- within one test

    def checkpoint(self, name: str) -> None:
        """Take a snapshot under a name, for this test to ``rewind`` to; the appliance continues in a new QEMU.

        All connections to it end: SSH, log streams, an open shell. Raises OptionError where QEMU cannot take a
        snapshot of the board, or the appliance is off.
        """
        boot = self.console.current if self.can("console") else None
        with self.time_line.during(Lane.POWER, f"checkpoint {name!r} is taken"):
            self._checkpoints.keep(name, CheckpointState(self.cold_start, boot, self.running))
        self.rewind(name)

    def rewind(self, name: str) -> None:
        """Return to a checkpoint, whatever became of the appliance since; as often as one likes.

        Raises OptionError for a name that is none.
        """
        began = time.monotonic()
        with self.time_line.during(Lane.POWER, f"rewound to {name!r}"):
            self._checkpoints.rewind(name, self._resumes_at)
            self._ask_the_time(self.budget.ready)
            self.check()
        self._ready.append(("rewound", {"ready": time.monotonic() - began}))

    def _resumes_at(self, state: CheckpointState) -> None:
        """The next machine is restored: nothing that is known of the last one holds any more."""
        self._link.next, self._link.boot = Cause.RESTORED, state.boot
        self.cold_start = state.start
        self._starting, self._shell = None, None
        self._now_runs(state.image)
        self._forget_device()

    def close(self) -> None:
        """Switch it off hard, and let go of everything, its checkpoints too."""
        super().close()
        self._checkpoints.close()
