"""Past: what is known of an appliance's boots, and what a report shows of them when something fails."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.appliance.assembly import Assembly
from harness.appliance.cold_start import ColdStart
from harness.appliance.foreign import as_it_is, why_foreign
from harness.appliance.services import Services
from harness.appliance.time_line import Lane
from harness.appliance.ways_in import WaysIn
from harness.appliance.why import Why, why_no_service, why_off, why_restarts, why_still, why_unreached
from harness.console.causes import explain
from harness.console.crashes import OF_BUSY_HOST
from harness.console.findings import Finding
from harness.console.phases import Boot, Cause, Phase
from harness.console.slot import Slot, slot_of
from harness.errors import (
    ApplianceFault,
    BootFailure,
    DeviceUnreachable,
    Fault,
    HarnessError,
    WaitTimeout,
    behind,
    follow,
)
from harness.gokrazy.probe import Reach
from harness.image.fat import FatVolume
from harness.image.model import Image
from harness.machine.diagnosis import diagnose
from harness.machine.partitions import edit_boot_file
from harness.machine.screen import picture

AFTERMATH = 2.0
"""Seconds in which a device whose connection was lost may still say what it dies of."""
SCREEN = "screen.png"
"""The name of the picture among its logs."""


@dataclass(frozen=True)
class Screen:
    """What its screen showed at a moment."""

    at: float
    """Seconds since its time line began."""
    png: bytes
    """A PNG file."""


_LOST = (DeviceUnreachable, WaitTimeout, OSError, EOFError)
"""Errors of one who got no answer; those of libraries are errors of input and output."""
NO_PERM = "perm-not-mounted"
"""The check of the console that finds a /perm that is not mounted."""
_ASKED = "gk_is_looked_into"
"""Attribute of an error that was explained already, as far as it can be."""


@dataclass(frozen=True)
class BootFiles:
    """What the boot partition says about the next boot, read while the machine was off."""

    cmdline: str
    loader: str | None
    """The options line of loader/entries/gokrazy.conf, None when there is no such file."""

    @property
    def slots(self) -> set[Slot | None]:
        """The slots that the files name: one, unless they disagree."""
        return {slot_of(text) for text in (self.cmdline, self.loader) if text is not None}


class Past(Services, WaysIn):
    """The part of an appliance that is about its boots.

    ``slot`` and ``build`` come from what runs, never from what the disk says.
    """

    def __init__(self, made: Assembly) -> None:
        super().__init__(made)
        self.cold_start: ColdStart | None = None
        """How it came up from its last power-on; for a restored appliance, how that of the snapshot did."""
        self.boot_files: BootFiles | None = None
        """As read at the last ``cold_boot``."""
        self.screen: Screen | None = None
        """Its screen when somebody looked last; see ``look_at_screen``."""
        self._own_word = ""
        """What the device said of its network when it was last asked why it does not answer."""
        self._ready: list[tuple[str, dict[str, float]]] = []

    # -- what runs

    @property
    def build(self) -> str:
        """The build timestamp of the image that runs; without a web interface, as init printed it."""
        boot = self.console.current if not self.can("http") else None
        return boot.build if boot is not None else self.status().build_timestamp

    @property
    def first_slot(self) -> Slot:
        """The slot that the image boots from: B where it was copied from a device that had been updated."""
        return slot_of(self.image.cmdline) or "A"

    @property
    def slot(self) -> Slot:
        """The slot that runs, from the running kernel's own command line."""
        boot = self.console.current if self.voice.any else None
        if boot is not None and boot.slot is not None:
            return boot.slot
        with self.breakglass() as rescue:
            slot = slot_of(rescue.run("cat /proc/cmdline").text)
        if slot is None:
            raise ApplianceFault("the running kernel's command line names no slot", where="/proc/cmdline")
        return slot

    def runs(self, image: Image) -> bool:
        """Whether what runs is this image: its build timestamp and its SBOM, as far as the image contains them."""
        status = self.status()
        return image.build in ("", status.build_timestamp) and image.sbom_hash in ("", status.sbom_hash)

    def read_boot_files(self) -> BootFiles:
        """Read what boots next from the boot partition; only while the machine is off."""
        volume = FatVolume.open(self.power.overlay.source(self.image.layout.boot))
        loader = None
        if volume.exists("loader/entries/gokrazy.conf"):
            loader = volume.read("loader/entries/gokrazy.conf").decode(errors="replace")
        return BootFiles(volume.read("cmdline.txt").decode(errors="replace"), loader)

    def edit_boot_file(self, name: str, edit: Callable[[bytes], bytes]) -> None:
        """Change a file of the boot partition in its place, as ``edit`` makes it of the image's; only while off.

        Raises OptionError when its length would change.
        """
        edit_boot_file(self.power.overlay, self.image, name, edit)

    # -- what ran before

    @property
    def booted_again(self) -> bool:
        """Whether a restored appliance started a kernel by itself, without having been switched off between."""
        goes_on = False
        for boot in self.console.boots:
            if boot.cause in (Cause.KEXEC, Cause.RESET):
                if goes_on:
                    return True
            else:
                goes_on = boot.cause is Cause.RESTORED
        return False

    def wait_for_boot(self, *, after: int) -> Boot:
        """Wait until a kernel starts that comes after boot number ``after``."""
        return self.console.wait_for_boot(after=after, timeout=self.budget.reboot)

    def boot_times(self) -> list[tuple[str, str, dict[str, float]]]:
        """Each time it became ready: board, "cold", "warm" or "rewound", and the seconds to each phase."""
        return [(self.board.name, kind, times) for kind, times in self._ready]

    # -- what it says of a failure

    def explain(self, error: BaseException | None) -> None:
        """Have an error say first what explains it, as far as that is known.

        That is a death that nobody has seen, what keeps the device from answering, or what its kernel said.
        A limit that passed while this host let QEMU starve is this host's fault, and says so.
        """
        # A skip or Ctrl-C explains itself.
        if not isinstance(error, Exception):
            return
        if isinstance(error, HarnessError) and not isinstance(error, ApplianceFault):
            return
        if not hasattr(error, _ASKED):
            setattr(error, _ASKED, True)
            if (foreign := self._why_foreign(error)) is not None:
                foreign.comes_before(error)
            elif (death := self._death_behind(error)) is not None:
                follow(error, death)
            elif isinstance(error, _LOST) and (why := self._why_silent(error)) is not None:
                why.comes_before(error)
        if behind(error) is not None:
            return
        started = self.cold_start.unclean if self.cold_start is not None else ()
        memory = self._equipment.memory
        more = "" if self.board.fixed else f" (--gk-memory {2 * memory} gives it more)"
        findings = [*started, *self.console.unclean(), *self._lost_perm()]
        cause = explain(error, findings, self.memory_left, memory=memory, more=more)
        if not isinstance(error, ApplianceFault) or not error.overdue or error.fault is Fault.HOST:
            return
        if cause and cause not in OF_BUSY_HOST:
            return
        shortage = self.power.shortage()
        if shortage is not None and shortage.is_grave:
            error.excuse(f"this host gave QEMU {shortage}: run less beside it, or give --gk-time-factor")

    def _lost_perm(self) -> list[Finding]:
        """That the file system on /perm was not mounted, where the image has one; a blank one never is."""
        if self.image.perm != "ext4":
            return []
        return [one for one in self.console.findings if one.name == NO_PERM]

    def _death_behind(self, error: BaseException) -> HarnessError | None:
        """What ended the appliance, or its QEMU, before this error came; None if it lives, or if that is known.

        A connection may be lost before the console shows why: what shows it within AFTERMATH seconds counts.
        """
        try:
            if isinstance(error, _LOST) and not isinstance(error, WaitTimeout):
                self.power.check()
                self.console.wait(AFTERMATH)
                self.power.check()
            else:
                self.power.check_unseen()
                self.console.check_unseen()
        except HarnessError as death:
            return death if death is not error else None
        return None

    def _why_foreign(self, error: BaseException) -> Why | None:
        """That what it starts next is for another architecture, where it did not come up; by its disk."""
        if not isinstance(error, (*_LOST, BootFailure)) or not self.is_emulated or not self.power.power_ons:
            return None
        boot, came_up = self.console.current, self.cold_start is not None
        if came_up and boot is not None and boot.ready and Phase.SHUTDOWN not in boot.at:
            return None
        with (
            tempfile.TemporaryDirectory(prefix="gokrazy-disk-", dir=self.folder) as folder,
            suppress(HarnessError),
        ):
            disk = as_it_is(self.power.overlay, self.power.machine, Path(folder))
            return why_foreign(disk, self.image.layout, self.board)
        return None

    def _why_silent(self, error: BaseException) -> Why | None:
        """What keeps it from answering, by its machine or by its own word; None where nothing shows."""
        if not self.is_emulated or not self.power.power_ons:
            return None
        if not self.power.is_on:
            return why_off(self.power.machine.ended, self.console.current)
        # Where init is not heard, a restart that it was asked for looks like one that it was not.
        restarts = why_restarts(self.console.boots) if self.voice.init else None
        if (why := restarts or why_still(self.power.machine)) is not None:
            return why
        if self.can("serial-shell"):
            self._own_word = self.network_from_within()
            if (why := why_unreached(self._own_word)) is not None:
                return why
        if isinstance(error, HarnessError) or not self.can("http"):
            return None
        answers = self.device.probe().reach is Reach.READY
        return why_no_service(str(error), self.power.ports) if answers else None

    @contextmanager
    def explained(self) -> Iterator[None]:
        """The same for what the body raises."""
        try:
            yield
        except ApplianceFault as error:
            self.explain(error)
            raise

    def look_at_screen(self) -> None:
        """Keep what its screen shows now, if it is on and that is evidence.

        It is none where there is no screen, or nothing on it. Nor is there a picture where the console has said a
        password: the screen shows the same, and nobody can take the password out of a picture.
        """
        hide = self.time_line.hide
        if not self.is_emulated or not self.power.is_on:
            return
        if any(hide(line.text) != line.text for line in self.console.lines()):
            return
        at = self.time_line.clock() - self.time_line.zero
        shown = picture(self.power.machine, self.folder)
        if shown is None or not shown.shows_something:
            return
        self.screen = Screen(at, shown.png())
        with suppress(OSError):
            (self.folder / SCREEN).write_bytes(self.screen.png)
        self.time_line.add(Lane.NOTES, f"a picture of the screen is taken: {SCREEN}")

    def excerpts(self, failure: BaseException | None = None) -> list[tuple[str, str]]:
        """What the device said last: title and text; one that could not be reached is asked why."""
        parts = [("gokrazy console", self.console.excerpt() or "(the console said nothing)")]
        if self.voice.why:
            parts.append(("gokrazy console, why init is not heard there", self.voice.why))
        if self.console.boots:
            parts.append(("gokrazy boots", "\n".join(str(boot) for boot in self.console.boots)))
        silent = isinstance(failure, DeviceUnreachable | WaitTimeout)
        if silent and self.power.is_on and self.can("serial-shell"):
            said = self._own_word or self.network_from_within()
            parts.append(("gokrazy network, by the device's own word", said))
        if (
            self.is_emulated
            and self.power.is_on
            and (silent or (isinstance(failure, ApplianceFault) and failure.overdue))
        ):
            parts.append(("gokrazy machine, as QEMU sees it", "\n".join(diagnose(self.power.machine))))
        parts.append(("gokrazy files", str(self.folder)))
        return parts
