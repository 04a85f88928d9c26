"""One start of one side on one board, and what its device said and did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from harness.appliance.appliance import Appliance
from harness.bump.facts import Facts, Programs, ask
from harness.bump.logs import said
from harness.bump.traffic import PORT, SIZE, SMALL, exchange
from harness.console.phases import Cause
from harness.errors import ApplianceFault, WaitTimeout

QUIET, AT_MOST = 2.0, 20.0
"""Seconds without a line after which the console has said what it says about a start; how long it may go on."""

Deed = Callable[[Appliance], str]
"""Has an appliance do something; returns what it did otherwise, "" when it did as asked."""


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


def measure(appliance: Appliance, programs: Programs | None, deeds: Mapping[str, Deed]) -> Measured:
    """Switch the appliance on, wait until it is ready, ask it, and make it do things.

    What the appliance does wrong is in the result; what the host does wrong is raised.
    """
    try:
        appliance.power_on()
        appliance.wait_until_ready()
    except ApplianceFault as error:
        appliance.explain(error)
        return Measured(failed=error.what)
    with suppress(WaitTimeout):
        appliance.console.wait_for_quiet(QUIET, timeout=AT_MOST)
    start, boot = appliance.cold_start, appliance.console.current
    log = said(appliance.console.lines())
    facts, unasked = _asked(appliance, programs) if programs is not None else (None, "")
    return Measured(
        ready=start.ready if start is not None else 0.0,
        phases={str(phase): seconds for phase, seconds in boot.at.items()} if boot is not None else {},
        log=log,
        facts=facts,
        unasked=unasked,
        deeds=_done(appliance, deeds),
        findings={one.name: one.what for one in appliance.console.unclean()},
    )


def _asked(appliance: Appliance, programs: Programs) -> tuple[Facts | None, str]:
    if lack := appliance.missing("breakglass"):
        return None, lack
    try:
        with appliance.breakglass() as rescue:
            facts = ask(rescue, programs)
            size = SMALL if appliance.board.slow_upload else SIZE
            return exchange(rescue, appliance.port(PORT), facts, size=size), ""
    except ApplianceFault as error:
        appliance.explain(error)
        return Facts({"bad": {"asking the device": error.what}}), ""


def _done(appliance: Appliance, deeds: Mapping[str, Deed]) -> dict[str, str]:
    """What became of each deed; none after one that it did not survive, which is what the next would show."""
    done = {}
    for name, do in deeds.items():
        try:
            done[name] = do(appliance)
        except ApplianceFault as error:
            appliance.explain(error)
            done[name] = error.what
            break
    return done


def _reboot(appliance: Appliance, *, kexec: bool) -> str:
    appliance.reboot(kexec=kexec)
    boot = appliance.console.current
    if appliance.voice.kernel and boot is not None and (boot.cause is Cause.KEXEC) is not kexec:
        return f"it rebooted all the same, by {boot.cause}"
    return ""


def _power_off(appliance: Appliance) -> str:
    appliance.power_off()
    return ""


DEEDS: Mapping[str, Deed] = {
    "reboot by kexec": partial(_reboot, kexec=True),
    "reboot through the firmware": partial(_reboot, kexec=False),
    "power off": _power_off,
}
"""What each side is made to do, in this order."""
