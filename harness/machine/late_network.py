"""What a board's network spares the guest until it is ready: the card itself, or answers that come at once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from harness.errors import QemuFailed
from harness.machine.command import LATE
from harness.machine.machine import Machine
from harness.machine.qmp import QmpRefused
from harness.machine.spec import Spec


class LateNetwork:
    """The network of one appliance, over as many machines as it takes.

    With ``nurse_network`` it does the board's workarounds ``late_answers`` and ``late_nic``; whoever reads the
    console then calls ``init_runs`` and ``listens``. A machine that is captured never gets the card that waits.
    """

    def __init__(self, spec: Spec) -> None:
        self.card_waits = spec.nurse_network and spec.board.workarounds.late_nic is not None
        """Whether a machine starts without its network card."""
        self._answers_wait = spec.nurse_network and spec.board.workarounds.late_answers is not None
        self._plugs = self.card_waits and not spec.is_captured

    def hold(self, machine: Machine) -> None:
        """Have answers come late, in a machine that is about to look for an address."""
        if self._answers_wait:
            _late(machine, on=True)

    def init_runs(self, machine: Machine | None) -> None:
        """The kernel is up: plug in the card, if it waits for that. Returns at once."""
        if self._plugs and machine is not None:
            _apart("plug-in", machine, machine.plug_in)

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


def _late(machine: Machine, *, on: bool) -> None:
    machine.execute("qom-set", {"path": f"/objects/{LATE}", "property": "status", "value": "on" if on else "off"})
