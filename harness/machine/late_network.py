"""What a board's network spares the guest until it is ready: the card itself, or answers that come at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from harness.errors import QemuFailed
from harness.machine.command import LATE
from harness.machine.machine import Machine
from harness.machine.qmp import QmpRefused
from harness.machine.spec import Spec

READ_BY_INIT = 2 << 20
"""Bytes that QEMU has read since it started: then init is being loaded, which has several MiB.

The harness loads the kernel, so up to the root file system the guest reads next to nothing: on raspi4b 0.2 MB at
init's first line, 2 MB 1.4 s later (of which up to 9 kB a second are QEMU's own wake-ups). QEMU counts no reads of
an SD card (``query-blockstats`` says 0), the kernel of this host does: ``rchar`` in proc_pid_io(5).
"""
ADDRESS_BY = 60.0
"""Seconds after that in which a guest that is not heard has its address: then answers come at once."""
BETWEEN_LOOKS = 0.5
"""Seconds between two looks at what was read; there is no event for it."""


class LateNetwork:
    """The network of one appliance, over as many machines as it takes.

    With ``nurse_network`` it does the board's workarounds ``late_answers`` and ``late_nic``; whoever reads the
    console then calls ``init_runs`` and ``listens``. Without a console it finds out by the disk when init runs.
    A machine that is started for a snapshot never gets the card that waits.
    """

    def __init__(self, spec: Spec) -> None:
        nursed = spec.nurse_network != "no"
        self.card_waits = nursed and spec.board.workarounds.late_nic is not None
        """Whether a machine starts without its network card."""
        self._answers_wait = nursed and spec.board.workarounds.late_answers is not None
        self._plugs = self.card_waits and not spec.for_snapshot
        self._unheard = spec.nurse_network == "disk"

    def hold(self, machine: Machine) -> None:
        """Have card and answers wait, in a machine that is about to run."""
        if self._answers_wait:
            _late(machine, on=True)
        if self._unheard and (self._plugs or self._answers_wait):
            _apart("reads", machine, lambda: self._follow_reads(machine))

    def init_runs(self, machine: Machine | None) -> None:
        """The kernel is up: plug in the card, if it waits for that. Returns at once."""
        if self._plugs and machine is not None:
            _apart("plug-in", machine, machine.plug_in)

    def _follow_reads(self, machine: Machine) -> None:
        """Do what is due once init is being loaded; returns without that when the machine ends.

        Where this host does not say what QEMU reads, a guest that is not heard gets its card at once: a card is
        better early than never.
        """
        _wait_until_init_is_read(machine)
        if self._plugs and machine.ended is None:
            machine.plug_in()
        if self._answers_wait and machine.wait_exit(ADDRESS_BY) is None:
            _late(machine, on=False)

    def listens(self, machine: Machine | None) -> None:
        """The guest has an address: let answers through at once from now on. Returns at once."""
        if self._answers_wait and machine is not None:
            _apart("listens", machine, lambda: _late(machine, on=False))


def _apart(name: str, machine: Machine, act: Callable[[], None]) -> None:
    """Act on the machine in a thread, as the console's reader must not wait for QEMU."""

    def run() -> None:
        try:
            act()
        except QmpRefused as error:
            machine.failure = error
        except QemuFailed:
            # A machine that has just ended needs no network any more.
            pass

    threading.Thread(target=run, name=name, daemon=True).start()


def _wait_until_init_is_read(machine: Machine) -> None:
    """Return when init is being loaded, the machine has ended, or this host does not say what is read."""
    before = _read(machine.pid)
    while machine.ended is None:
        now = _read(machine.pid)
        if before is None or now is None or now - before >= READ_BY_INIT:
            return
        machine.wait_exit(BETWEEN_LOOKS)


def _read(pid: int) -> int | None:
    """Bytes that a process has read; None when it is gone, or this host does not count them or does not say."""
    try:
        words = Path(f"/proc/{pid}/io").read_text("ascii").split()
    except OSError:
        return None
    return int(words[words.index("rchar:") + 1])


def _late(machine: Machine, *, on: bool) -> None:
    machine.execute("qom-set", {"path": f"/objects/{LATE}", "property": "status", "value": "on" if on else "off"})
