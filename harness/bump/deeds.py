"""What each side of a comparison is made to do: survive a power cut, reboot, panic, hang, switch itself off."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from harness.appliance.appliance import Appliance
from harness.boards.hardware import WATCHDOG
from harness.bump.facts import Programs
from harness.bump.times import timed
from harness.console.phases import Cause
from harness.errors import ApplianceFault, CommandFailed, Fault

KEPT = "/perm/.harness-kept"
"""Written before a power cut, and read after it."""
_FED = re.compile(r"found hardware watchdog .* pinging")
"""What init says of a watchdog that it feeds."""


@dataclass(frozen=True)
class Deed:
    """Something that an appliance is made to do."""

    name: str
    do: Callable[[Appliance, Programs], str]
    """Returns what it did otherwise, "" when it did as asked."""
    needs: Sequence[str] = ()
    """The abilities that it takes."""
    hardware: str = ""
    """What the board must have for it."""

    def fits(self, appliance: Appliance) -> bool:
        """Whether it can be asked of this appliance at all."""
        has = not self.hardware or self.hardware in appliance.board.has
        return has and all(appliance.can(ability) for ability in self.needs)


def what_of(error: ApplianceFault, appliance: Appliance) -> str:
    """What an appliance did wrong, explained; raises the error where this host kept it from doing better."""
    appliance.explain(error)
    if error.fault is Fault.HOST:
        raise error
    return error.what


def done(
    appliance: Appliance, programs: Programs, deeds: Sequence[Deed], took: dict[str, float]
) -> dict[str, str]:
    """What became of each deed; none after one that it did not survive, which is what the next would show.

    Adds to ``took`` the seconds of each.
    """
    result = {}
    for deed in deeds:
        if not deed.fits(appliance):
            continue
        try:
            with timed(took, deed.name):
                result[deed.name] = deed.do(appliance, programs)
        except ApplianceFault as error:
            result[deed.name] = what_of(error, appliance)
            break
    return result


def _reboot(appliance: Appliance, _: Programs, *, kexec: bool) -> str:
    appliance.reboot(kexec=kexec)
    boot = appliance.console.current
    if appliance.voice.kernel and boot is not None and (boot.cause is Cause.KEXEC) is not kexec:
        return f"it rebooted all the same, by {boot.cause}"
    return ""


def _power_off(appliance: Appliance, _: Programs) -> str:
    appliance.power_off()
    return ""


def _ask(appliance: Appliance, programs: Programs, *command: str) -> None:
    """Have the agent do something on the device; raises CommandFailed with its word where it does not."""
    with appliance.breakglass() as rescue:
        rescue.put(programs.agent, "agent", mode=0o755)
        rescue.run(["./agent", *command], timeout=appliance.budget.service)


def _survives(appliance: Appliance, programs: Programs) -> str:
    """Whether a file that the disk was to have is there after a power cut."""
    _ask(appliance, programs, "keep", KEPT)
    appliance.cut_power()
    appliance.power_on()
    appliance.wait_until_ready()
    try:
        _ask(appliance, programs, "kept", KEPT)
    except CommandFailed as error:
        return error.what
    return ""


def _panics(appliance: Appliance, programs: Programs) -> str:
    """Whether it comes back by itself after its kernel gave up."""
    _falls(appliance, programs, "panic")
    return ""


def _is_reset(appliance: Appliance, programs: Programs) -> str:
    """Whether the watchdog brings back a kernel that gave up, and is told to stay so."""
    if not any(_FED.search(line.text) for line in appliance.console.lines()):
        return "init found no watchdog that it could feed"
    _falls(appliance, programs, "hang")
    return ""


def _falls(appliance: Appliance, programs: Programs, how: str) -> None:
    before = appliance.console.boots[-1].number
    with appliance.console.expect_crash(timeout=appliance.budget.service):
        _ask(appliance, programs, how)
    appliance.wait_for_boot(after=before)
    appliance.wait_until_ready()


DEEDS: Sequence[Deed] = (
    Deed("what is written survives a power cut", _survives, ("breakglass", "perm")),
    Deed("reboot by kexec", partial(_reboot, kexec=True), ("http",)),
    Deed("reboot through the firmware", partial(_reboot, kexec=False), ("http",)),
    Deed("kernel panic, and back", _panics, ("breakglass", "console")),
    Deed("reset by the watchdog", _is_reset, ("breakglass", "console"), WATCHDOG),
    Deed("power off", _power_off, ("http",)),
)
"""In this order."""
