"""How each appliance of a run starts, cold, warm or off, which is decided here and nowhere else.

A cold start is from power-on, through the firmware. A warm start is restored from a snapshot, which is taken once,
of a machine that has booted and that no test has used. An appliance that is off is switched on by its test.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from harness.appliance.wanted import Clock, Wanted
from harness.boards import Board
from harness.boards.workarounds import Workaround
from harness.lab.targets import Target
from harness.machine.equipment import Equipment
from harness.options import Settings


class How(Enum):
    """How an appliance starts."""

    OFF = "off"
    COLD = "cold"
    WARM = "warm"


@dataclass(frozen=True)
class Plan:
    """What one appliance is to be, all of it decided."""

    wanted: Wanted
    target: Target
    how: How
    equipment: Equipment
    clock: Clock

    @classmethod
    def of(cls, wanted: Wanted, target: Target, settings: Settings) -> Plan:
        """The plan for what a test asks of this target in this run."""
        equipment = replace(
            target.equipment,
            network=wanted.network or settings.network,
            doors=wanted.doors,
            agent="agent" in wanted.needs,
        )
        clock = wanted.clock or settings.clock
        how = How.OFF
        if wanted.running:
            usual = (equipment, clock) == (target.equipment, settings.clock)
            how = How.WARM if usual and not _is_cold(wanted, target, settings) else How.COLD
        return cls(wanted, target, how, equipment, clock)

    @property
    def sets_clock(self) -> bool:
        """Whether a board without a clock is given the time before it starts."""
        return self.clock == "now" and not self.target.board.knows_time


def _is_cold(wanted: Wanted, target: Target, settings: Settings) -> bool:
    """Whether this appliance starts cold although its equipment and clock are those of the snapshots."""
    board = target.board
    hotplugs = board.workarounds.nic_after_restore is not None
    if wanted.cold or settings.warm == "off" or settings.record or not board.can_snapshot:
        return True
    if wanted.about_boot and (hotplugs or settings.warm == "persist"):
        # A snapshot contains the boot that led to it, but no network card that is plugged in later, and it may be
        # of an earlier run.
        return True
    if target.equipment.qemu_args:
        # It is not known whether a snapshot contains the state of what the user's own arguments add.
        return True
    # A snapshot without the network card is taken when the console says that init runs: that needs a console.
    # Without the quirks the guest does not find the card that is plugged in later.
    return hotplugs and (settings.no_quirks or not target.voice.init)


def late_network(board: Board) -> list[Workaround]:
    """What the harness does to have the board's network come late."""
    return [one for one in (board.workarounds.late_nic, board.workarounds.late_answers) if one is not None]
