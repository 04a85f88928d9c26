"""What a scenario does to the power, the reset line and the processors of an appliance that runs."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from harness.appliance.time_line import Happening, Lane, TimeLine

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance
    from harness.machine.machine import Machine


def cut(appliance: Appliance) -> None:
    """Pull the plug, as ``appliance.cut_power()``: nothing is written any more from this moment on."""
    appliance.cut_power()


def reset(appliance: Appliance) -> None:
    """Press the reset button; does not wait for what comes up."""
    appliance.time_line.add(Lane.FAULTS, "the reset button is pressed")
    appliance.power.reset()


def pause(appliance: Appliance) -> Paused:
    """Stop the processors at once; in a ``with`` statement until its end, else until the machine ends."""
    machine = appliance.power.machine
    machine.pause()
    return Paused(machine, appliance.time_line)


class Paused:
    """A machine whose processors stand still, as a context manager that lets them go at its end."""

    def __init__(self, machine: Machine, time_line: TimeLine) -> None:
        self._machine = machine
        self._time_line = time_line
        self._happening: Happening = time_line.begin(Lane.FAULTS, "the processors stand still")

    def __enter__(self) -> None:
        """Nothing is left to do: it stands still already."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of a machine that is still there: within the block it may have been cut off or rewound."""
        self._time_line.over(self._happening)
        if self._machine.ended is None:
            self._machine.resume()
