"""One start of one side on one board, and what its device said and did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from harness.appliance.appliance import Appliance
from harness.bump.deeds import Deed, done, what_of
from harness.bump.facts import Facts, Programs, ask
from harness.bump.logs import said
from harness.bump.times import timed
from harness.bump.traffic import PORT, SIZE, SMALL, exchange
from harness.errors import ApplianceFault, WaitTimeout

QUIET, AT_MOST = 2.0, 20.0
"""Seconds without a line after which the console has said what it says about a start; how long it may go on."""

ASKING = "asking the device"
"""What does not work where a probe has no answer."""


@dataclass(frozen=True)
class Measured:
    """What one start showed; nothing but ``failed`` where it did not come up."""

    failed: str = ""
    ready: float = 0.0
    """Seconds from power-on to the first answer."""
    phases: Mapping[str, float] = field(default_factory=dict)
    log: Mapping[str, str] = field(default_factory=dict)
    findings: Mapping[str, str] = field(default_factory=dict)
    """Console check -> what it found."""
    facts: Facts | None = None
    """None where the device was not asked."""
    unasked: str = ""
    """Why it could not be asked, "" where it was not to be."""
    deeds: Mapping[str, str] = field(default_factory=dict)
    """What it was made to do -> what went wrong, "" when nothing did."""
    took: Mapping[str, float] = field(default_factory=dict)
    """What was done -> seconds of this host."""


@dataclass(frozen=True)
class Task:
    """What is done with one start beyond waiting until it is ready."""

    programs: Programs
    asks: bool = True
    """Whether the device is asked by probes."""
    carries: int = SIZE
    """Bytes of each transfer of bulk traffic, 0 for none."""
    deeds: Sequence[Deed] = ()
    hears: bool = True
    """Whether all is heard that the console says about a start."""


def measure(appliance: Appliance, task: Task) -> Measured:
    """Switch the appliance on, wait until it is ready, ask it, and make it do things.

    What the appliance does wrong is in the result; what the host does wrong is raised.
    """
    took = dict[str, float]()
    try:
        with timed(took, "starts"):
            appliance.power_on()
            appliance.wait_until_ready()
    except ApplianceFault as error:
        return Measured(failed=what_of(error, appliance), took=took)
    if task.hears:
        with timed(took, "waiting until the console is quiet"), suppress(WaitTimeout):
            appliance.console.wait_for_quiet(QUIET, timeout=AT_MOST)
    start, boot = appliance.cold_start, appliance.console.current
    log = said(appliance.console.lines())
    facts, unasked = _asked(appliance, task, took) if task.asks else (None, "")
    return Measured(
        ready=start.ready if start is not None else 0.0,
        phases={str(phase): seconds for phase, seconds in boot.at.items()} if boot is not None else {},
        log=log,
        facts=facts,
        unasked=unasked,
        deeds=done(appliance, task.programs, task.deeds, took),
        findings={one.name: one.what for one in appliance.console.unclean()},
        took=took,
    )


def _asked(appliance: Appliance, task: Task, took: dict[str, float]) -> tuple[Facts | None, str]:
    if lack := appliance.missing("breakglass"):
        return None, lack
    try:
        with appliance.breakglass() as rescue:
            with timed(took, "probes"):
                facts = ask(rescue, task.programs)
            if task.carries:
                size = min(task.carries, SMALL) if appliance.board.slow_upload else task.carries
                with timed(took, "traffic"):
                    facts = exchange(rescue, appliance.port(PORT), facts, size=size)
            return facts, ""
    except ApplianceFault as error:
        return Facts({"bad": {ASKING: what_of(error, appliance)}}), ""
