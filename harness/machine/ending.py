"""How one QEMU process ended, and what it took."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from harness.errors import HarnessError
from harness.lifetime.process import Exit


class Rung(Enum):
    """What it took to end a QEMU."""

    GONE = "it had ended already"
    POWER_OFF = "the guest powered itself off"
    QUIT = "QMP quit"
    TERM = "SIGTERM"
    KILL = "SIGKILL"


@dataclass(frozen=True)
class Ended:
    """How a machine ended.

    ``reason`` is QEMU's own word (``guest-shutdown``, ``guest-reset``, ``guest-panic``, ``host-qmp-quit``, ...),
    "" when it gave none; ``failure`` is set when QEMU ended by itself, which is never the appliance's fault.
    """

    exit: Exit
    reason: str
    failure: HarnessError | None
    at: float
