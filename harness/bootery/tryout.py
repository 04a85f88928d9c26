"""Tryout: a device installs what was uploaded, by its own handlers, reboots into it, and is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.appliance.appliance import Appliance
from harness.appliance.wanted import Wanted
from harness.boards import Board
from harness.bootery.candidate import Candidate
from harness.bootery.carrier import Carrier
from harness.bootery.success import must_have_hardware, wait_for_success
from harness.console.phases import Boot, Phase
from harness.console.slot import Slot
from harness.errors import ApplianceFault, HarnessError
from harness.image.model import Image
from harness.lab.lab import Lab

MOST_OF_LOG = 4 << 20
"""Characters of the console that a client gets, the last ones; all of it is among the logs."""
PHASES = (Phase.KERNEL, Phase.INIT, Phase.HTTP)


@dataclass
class Tryout:
    """What became of a candidate on one board."""

    bakery: str
    board: Board
    error: HarnessError | None = None
    log: str = ""
    """The console from the first upload on, "" where it did not come to that."""
    facts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a reader should know, and what is no obstacle."""
    is_judged: bool = True
    """Whether it was the candidate's turn: what fails before says nothing about it."""
    report: Path | None = None
    """Where it is written down."""

    @property
    def passed(self) -> bool:
        """Whether it came up and was well."""
        return self.error is None

    @property
    def title(self) -> str:
        """The bakery, and the board where it has another name."""
        return self.bakery if self.bakery == self.board.name else f"{self.bakery} ({self.board.name})"

    @property
    def summary(self) -> str:
        """What came of it, and what is to be noted."""
        if self.error is not None:
            return f"{self.title}: {self.error}"
        notes = [f"{self.title}: note: {note}" for note in self.notes]
        return "\n".join([f"{self.title}: passed: {'; '.join(self.facts)}", *notes])


def try_on(
    lab: Lab, board: Board, carrier: Carrier, candidate: Candidate, *, newer: int, check: Callable[[], None]
) -> Tryout:
    """Try it on a board of a bakery; what goes wrong is in the result.

    ``check`` raises why it is to end before its time; once there is an appliance, its console does that.
    """
    tryout = Tryout(carrier.hostname, board, notes=[*candidate.notes])
    try:
        candidate.must_fit(board)
        must_have_hardware(candidate.image, board)
        tryout.is_judged = False
        check()
        with lab.appliance(Wanted(board, board.name, image=carrier.image, cold=True)) as appliance:
            check()
            _install(appliance, candidate, newer, tryout)
    except HarnessError as error:
        tryout.error = error
        if not tryout.is_judged:
            error.excuse("what was sent did not run yet: the appliance that was to install it failed")
    return tryout


def _install(appliance: Appliance, candidate: Candidate, newer: int, tryout: Tryout) -> None:
    image, mark = candidate.image, appliance.console.mark()
    slot = appliance.first_slot
    if candidate.with_root:
        slot = "B" if slot == "A" else "A"
    try:
        with appliance.explained():
            appliance.install(image, candidate.files, root=candidate.with_root)
            wait_for_success(appliance, image, mark, newer)
            appliance.wait_until_at_rest()
            appliance.check()
        _must_be(appliance, image, slot)
        tryout.facts += facts_of(appliance.console.current)
        tryout.notes += map(str, appliance.console.unclean(since=mark))
    finally:
        tryout.is_judged = appliance.running is image
        tryout.log = appliance.console.since(mark)[-MOST_OF_LOG:]


def _must_be(appliance: Appliance, image: Image, slot: Slot) -> None:
    """Raise ApplianceFault unless it is the uploaded kernel that runs, from the slot that it was to take."""
    boot = appliance.console.current
    if boot is None:
        return
    if appliance.voice.kernel and not image.kernel.is_release(boot.kernel):
        raise ApplianceFault(
            f"Linux {boot.kernel} runs, and the uploaded vmlinuz is {image.kernel.release}",
            where=appliance.console.name,
        )
    if boot.slot not in (None, slot):
        raise ApplianceFault(
            f"it runs from slot {boot.slot}, and was to run from {slot}", where=appliance.console.name
        )


def facts_of(boot: Boot | None) -> list[str]:
    """What is worth saying of a boot that went well."""
    if boot is None:
        return ["its console is not heard here; its web interface answers"]
    times = [f"{phase.value} {took:.1f} s" for phase in PHASES if (took := boot.took(phase)) is not None]
    return [f"Linux {boot.kernel or '?'} from slot {boot.slot or '?'}", f"after the reboot: {', '.join(times)}"]
