"""Appliance: the running thing that scenarios talk to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.appliance.abilities import NO_KEY, why_not
from harness.appliance.checkpoints import Checkpoints, Moment
from harness.appliance.cold_start import ColdStart
from harness.appliance.demands import demand
from harness.appliance.failed_starts import Start as FirstStart
from harness.appliance.services import Services
from harness.appliance.start_watch import StartWatch, unheard
from harness.appliance.updates import Updates
from harness.appliance.ways_in import WaysIn
from harness.appliance.wiring import Wiring
from harness.boards import Boot as Start
from harness.boards import Budget
from harness.console.causes import explain
from harness.console.console import Console
from harness.console.phases import Boot, Cause, Phase
from harness.console.slot import Slot, slot_of
from harness.errors import (
    ApplianceFault,
    DeviceUnreachable,
    HarnessError,
    InternalError,
    OptionError,
    WaitTimeout,
)
from harness.faults.damage import write_perm
from harness.firmware.stage import Stage
from harness.firmware.voice import Voice
from harness.gokrazy.expected import Expectations
from harness.gokrazy.status import Status
from harness.gokrazy.waiting import Deadline
from harness.image.fat import FatVolume
from harness.image.model import Image, UpdateFiles
from harness.machine.capture import Capture
from harness.machine.overlay import Overlay
from harness.machine.power import Power
from harness.machine.run_dir import RunDir
from harness.machine.spec import Spec

LAST_TIME = "home/ntp/ntp-time-at-last-shutdown"
"""Where gokrazy's cmd/ntp keeps the time, below /perm (its ntp.go), as RFC 3339."""
QUIET = 15.0
"""Seconds without a word on the console that tell that a device without a network has come to rest.

Its services are silent there and go on starting for a while: captured after 5 s, copies took 17 s to answer
instead of 10 (raspi3b, medians of 8 and 5).
"""
PAUSE = 0.5
"""Seconds without a word on the console that tell that a device whose services have settled is at rest."""
LOOK = 1.0
"""Seconds between two looks at what the console does not tell: QEMU's own failures, a phase that is overdue."""


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


class Appliance(WaysIn, Services, Updates):
    """One appliance of one test: an image, a board, and the machine that plays it.

    ``device`` is its web interface, ``console`` its serial console, ``power`` the machine's switch. Every wait
    has the limit that ``budget`` gives for this board and accelerator, in seconds, and ends at once with the cause
    when the console shows a crash. ``slot`` and ``build`` come from what runs, never from what the disk says.
    """

    def __init__(
        self,
        *,
        spec: Spec,
        image: Image,
        budget: Budget,
        overlay: Overlay,
        stage: Stage,
        run_dir: RunDir,
        folder: Path,
        key: Path | None,
        files_of: Callable[[Image], UpdateFiles],
        voice_of: Callable[[Image], Voice],
        expected: Expectations | None = None,
    ) -> None:
        WaysIn.__init__(self, key=key, password=image.password)
        Updates.__init__(self, files_of)
        self.image = image
        self.board = board = spec.board
        self.budget = budget
        self.expected = expected or Expectations()
        self.remarks = {}
        self.knows_time = board.knows_time
        self.isolated = spec.equipment.network == "restricted"
        self.folder = folder
        """Where this appliance's logs go."""
        # On a Raspberry Pi board that is the likeliest reason for whatever the console is blamed for.
        told = " with --gk-no-quirks" if not spec.quirks and board.boot is Start.RASPBERRY else ""
        self.console = Console(
            folder,
            name=f"{image.hostname} on {board.name}{told}",
            in_many_threads=lambda: self.power.in_many_threads,
        )
        self._wiring = Wiring(self.console)
        self.power = Power(
            spec,
            overlay,
            stage,
            run_dir,
            on_console=self._wiring.on_console,
            listener=self._wiring.listener,
        )
        self.console.when_halted(self.power.halted)
        self.console.when_init_runs(self.power.init_runs)
        self.console.when_listening(self.power.listens)
        self._voice_of = voice_of
        self._now_runs(image)
        self._checkpoints = Checkpoints(self.power, overlay.path.parent)
        self.clock_behind: float | None = None
        """Seconds that the clock of a restored copy was behind this host's, to the second; see correct_clock."""
        self.boot_files: BootFiles | None = None
        """As read at the last ``cold_boot``."""
        self.cold_start: ColdStart | None = None
        """How it came up from its last power-on; for a restored copy, how the captured machine did."""
        self.deviations: dict[str, str] = {}
        """Known deviations that this appliance showed: which, and the evidence."""
        self.left_out: dict[str, str] = {}
        """What a scenario did not look at, and why; see applies."""
        self.no_key = "" if key is not None else NO_KEY
        """Why nobody here can enter breakglass on it, "" when a key is known that can."""
        self.first_start: FirstStart | None = None
        """What became of starts of this image in this run, for whoever starts it as it is."""
        self._ready: list[tuple[str, dict[str, float]]] = []
        self._boots_before = 0
        self._power_ons_before = 0
        self._starting: StartWatch | None = None

    # -- what it can do

    def can(self, ability: str) -> bool:
        """Whether the image that runs has what a scenario needs; ``why_not`` says what is missing."""
        return not self.why_not(ability)

    def why_not(self, ability: str) -> str:
        """Return why the image that runs cannot do this here, "" when it can."""
        return why_not(self.running, ability, voice=self.voice, no_key=self.no_key)

    def applies(self, what: str, *abilities: str) -> bool:
        """Whether a part of a scenario applies, for which the image must have these abilities.

        Where it does not, the report says that ``what`` was left out, and why.
        """
        missing = next((reason for ability in abilities if (reason := self.why_not(ability))), "")
        if missing:
            self.left_out[what] = missing
        return not missing

    def _now_runs(self, image: Image) -> None:
        """Go on with the password and the console of this image, which runs now or boots next."""
        self.running = image
        self.voice = self._voice_of(image)
        self.console.hears(kernel=self.voice.kernel, why=self.voice.why)
        self._use_password(image.password)

    # -- its life

    def power_on(self) -> None:
        """Switch it on, from the firmware up."""
        if self.first_start is not None and self._is_as_the_image:
            self.first_start.check()
        self._wiring.next = Cause.POWER_ON
        self.cold_start = None
        self._boots_before = len(self.console.boots)
        self._power_ons_before = len(self.power.power_ons)
        self._starting = StartWatch(self.console, self.running, self.voice, self.budget, dhcp_runs=self._dhcp_runs)
        self.power.on()
        self._forget_device()

    def _dhcp_runs(self) -> bool | None:
        """Whether its DHCP client runs, by its serial shell; None where that does not tell."""
        if not self.can("serial-shell"):
            return None
        try:
            return self.shell.run("pidof dhcp")[0] == 0
        except HarnessError:
            return None

    @property
    def _is_as_the_image(self) -> bool:
        """Whether it was never on, and nothing on its disk was changed that a start reads."""
        layout = self.image.layout
        idle = layout.root_a if self.first_slot == "B" else layout.root_b
        return not self.power.power_ons and all(
            idle.offset <= one.offset and one.offset + one.size <= idle.offset + idle.size
            for one in self.power.overlay.written
        )

    def wait_until_ready(self) -> None:
        """Wait until the web interface answers with the image's password; without one, until init says it is up.

        Raises what the console showed if it crashed or fell silent, else WaitTimeout, AuthenticationRefused.
        """
        self._until_it_listens(self._boots_before, self.budget.ready)
        if self.can("http"):
            try:
                status = self.device.wait_until_ready(self.budget.ready)
            except (DeviceUnreachable, WaitTimeout) as error:
                error.hint = error.hint or unheard(self.running, self.voice)
                raise
            if self.image.formats_perm and not status.perm_is_mounted:
                self._until_perm_is_mounted()
        elif self.image.starts_dhcp:
            # What cannot be asked for its state may still serve UDP, and init is up before there is an address.
            self.power.machine.wait_for_address(self.budget.network)
        self._serves()
        if self.cold_start is None:
            self._came_up(self.console.recording.seconds(), answered=self.can("http"))

    def _until_perm_is_mounted(self) -> None:
        """Wait for the one reboot that is part of its first start; raises WaitTimeout with what mkfs said."""
        if self._starting is not None:
            self._starting.has_answered()
        try:
            self.device.wait_until_perm_is_mounted(self.budget.ready + self.budget.reboot)
        except WaitTimeout as error:
            formatter = self.image.formatter
            said = self._last_words(formatter.path) if formatter is not None else ""
            raise WaitTimeout(
                error.what,
                where=error.where,
                hint="what formats /perm at the first start did not do so, or did not reboot",
                evidence=f"{error.evidence}\n{said}".strip(),
            ) from error

    def _came_up(self, ready: float, *, answered: bool) -> None:
        """Keep how the start went: its last boot, and those that led to it."""
        boot = self.console.current
        boots = self.console.boots[self._boots_before :]
        earlier = tuple(one for one in boots if boot is not None and one.number < boot.number)
        resets = len(self.power.power_ons) - self._power_ons_before - 1
        self.cold_start = ColdStart(boot, tuple(self.console.unclean()), ready, earlier, resets)
        self._ready.append(("cold", {**self._times(boot), **({"ready": ready} if answered else {})}))

    def _serves(self) -> None:
        """It has come up: whatever starts from now on is another start."""
        self._starting = None
        self.console.serves()
        # Its console may not have told that it has an address.
        self.power.listens()

    def wait_until_at_rest(self) -> None:
        """Wait until its services have settled and its console is quiet, as far as they will.

        What falls again and again, or talks all the time, is no obstacle; raises what the console showed if it
        crashed.
        """
        rests: list[Callable[[], object]] = [lambda: self.console.wait_for_quiet(PAUSE, timeout=QUIET)]
        for rest in (self.wait_until_settled, *rests) if self.can("http") else rests:
            try:
                rest()
            except ApplianceFault:
                self.check()

    def wait_until_it_runs(self) -> None:
        """Wait until init runs its services, which needs no network.

        Raises what the console showed if it crashed or fell silent too early, else WaitTimeout.
        """
        with self.console.watch_silence(self.budget.silence):
            self._until(Phase.UPDATER, self._boots_before, self.budget.ready)
            if self.image.formats_perm and len(self.power.power_ons) <= 1:
                # Without a network, too, it formats /perm and reboots: by the console, as nobody can ask it.
                first = self._boots_before + 1
                self._until(Phase.KERNEL, first, self.budget.ready)
                self._until(Phase.UPDATER, first, self.budget.reboot)

    def wait_until_quiet(self) -> None:
        """Wait until one whose init runs has come as far as it can without a network, and all is quiet.

        Raises what the console showed if it crashed, else WaitTimeout.
        """
        self.console.wait_for_quiet(QUIET, timeout=self.budget.ready)
        self._serves()
        self._came_up(self.console.recording.seconds(), answered=False)

    def _until_it_listens(self, after: int, limit: float) -> None:
        """Wait for the console's word that the web interface listens, in a boot after that number.

        An event, where a connection that is tried too early waits for its own limit: QEMU accepts it before the
        guest has a network. Without a console there is nothing to wait for. What has no password listens on its
        socket only, and says so there.
        """
        if reason := self.why_not("ready"):
            raise OptionError(f"{self.console.name}: {reason}")
        if not self.can("console"):
            return
        with self.console.watch_silence(self.budget.silence):
            self._until(Phase.HTTP if self.can("http") else Phase.SOCKET, after, limit)

    def _until(self, phase: Phase, after: int, limit: float) -> None:
        """Wait for a phase, with a look now and then at what the console does not tell."""
        deadline = Deadline(limit)
        while True:
            late: WaitTimeout | None = None
            try:
                self.console.wait_for_phase(phase, timeout=deadline.slice(LOOK), after=after)
            except WaitTimeout as error:
                late = error
            if late is None:
                return
            # Outside of the handler: what is found here is not to be headed by a wait of one second.
            self.check()
            if deadline.over:
                raise self.console.timed_out(f"the boot phase {phase.value!r}", limit)

    def capture(self, folder: Path, *, base: Path) -> tuple[Capture, ColdStart]:
        """Freeze it as it is, and end it: copies go on from there, their disks directly on the image ``base``."""
        if self.cold_start is None:
            raise InternalError("only an appliance that is ready can be captured", where=self.console.name)
        return self.power.capture(folder, base=base), self.cold_start

    def restore(self, capture: Capture, start: ColdStart) -> None:
        """Go on where a captured appliance stood; one that had no network is given it now."""
        began = time.monotonic()
        boots = len(self.console.boots)
        self._goes_on(Moment(start, start.boot, self.running))
        self.power.restore(capture)
        if self.board.workarounds.nic_after_restore and self.can("http"):
            self._until_it_listens(boots, self.budget.ready)
        self._ask_the_time(self.budget.ready)
        self.check()
        ready = time.monotonic() - began
        if self.board.workarounds.nic_after_restore:
            self.cold_start = start.went_on(self.console.current, ready)
        self._ready.append(("warm", {"ready": ready} if self.can("http") else {}))

    def checkpoint(self, name: str) -> None:
        """Keep disk and memory as they are now, to ``rewind`` to within this test; it goes on in a new QEMU.

        All connections to it end: SSH, log streams, an open shell. Raises OptionError where a board cannot be
        frozen, or the appliance is off.
        """
        boot = self.console.current if self.can("console") else None
        self._checkpoints.keep(name, Moment(self.cold_start, boot, self.running))
        self.rewind(name)

    def rewind(self, name: str) -> None:
        """Return to a checkpoint, whatever became of the appliance since; as often as one likes.

        Raises OptionError for a name that is none.
        """
        began = time.monotonic()
        self._checkpoints.rewind(name, self._goes_on)
        self._ask_the_time(self.budget.ready)
        self.check()
        self._ready.append(("rewound", {"ready": time.monotonic() - began}))

    def _goes_on(self, moment: Moment) -> None:
        """The next machine goes on from a moment: nothing of the last one is known any more."""
        self._wiring.next, self._wiring.boot = Cause.RESTORED, moment.boot
        self.cold_start = moment.start
        self._starting, self._shell = None, None
        self._now_runs(moment.image)
        self._forget_device()

    def _ask_the_time(self, limit: float) -> None:
        """Wait until a restored copy answers, with what its clock says; what cannot be asked answers nothing."""
        self.clock_behind = self.device.wait_until_it_answers(limit) if self.can("http") else None

    def power_off(self) -> None:
        """Have it switch itself off, and wait until it did."""
        self.device.power_off()
        if not self.power.wait_off(self.budget.power_off):
            self.check()
            raise WaitTimeout(
                f"waited {self.budget.power_off:.0f} s for the appliance to switch itself off",
                where=self.console.name,
                evidence=self.console.excerpt(15),
            )
        self.power.off()

    def set_clock(self, when: datetime) -> None:
        """Put a time where gokrazy keeps that of the last shutdown; only while off.

        It is what a device without a clock knows of the time at its next start, before it has a network.
        """
        write_perm(self.power.overlay, self.image, LAST_TIME, when.isoformat().encode())
        self.knows_time = True

    def correct_clock(self) -> None:
        """Give a restored copy, whose clock stood still, this host's time: by its serial shell, else breakglass.

        It is right to a second or two then. That costs seconds, so whom the time concerns asks for it. Raises
        CommandFailed where the image has no ``date``.
        """
        # The time is read when somebody is there to take it: a shell needs seconds to come up on a busy host.
        if self.can("serial-shell"):
            self.shell.open()
            self.shell.check(_set_time())
        else:
            with self.breakglass() as rescue:
                rescue.run(_set_time())
        self._ask_the_time(self.budget.service)

    def cut_power(self) -> None:
        """Pull the plug: nothing is written any more from this moment on."""
        self.power.off()

    def cold_boot(self) -> None:
        """Switch it off properly and on again in a new QEMU, through its firmware, until it is ready."""
        self.power_off()
        self.boot_files = self.read_boot_files()
        self.power_on()
        self.wait_until_ready()

    def wait_for_boot(self, *, after: int) -> Boot:
        """Wait until a kernel starts that comes after boot number ``after``."""
        return self.console.wait_for_boot(after=after, timeout=self.budget.reboot)

    def reboot(self, *, kexec: bool = True) -> Status:
        """Ask it to reboot and wait until it is ready again; ``kexec=False`` goes through the firmware."""
        before = self.status()
        boots = len(self.console.boots)
        self.device.reboot(kexec=kexec)
        self._until_it_listens(boots, self.budget.reboot)
        status = self.device.wait_for_reboot(before, self.budget.reboot)
        self._serves()
        return status

    def read_boot_files(self) -> BootFiles:
        """Read what boots next from the boot partition; only while the machine is off."""
        volume = FatVolume.open(self.power.overlay.source(self.image.layout.boot))
        loader = None
        if volume.exists("loader/entries/gokrazy.conf"):
            loader = volume.read("loader/entries/gokrazy.conf").decode(errors="replace")
        return BootFiles(volume.read("cmdline.txt").decode(errors="replace"), loader)

    # -- who it is

    def check(self) -> None:
        """Raise what is known to be wrong: QEMU itself first, then what the console showed."""
        self.power.check()
        self.console.check()
        if self._starting is not None:
            self._starting.check()

    def explain(self, error: BaseException | None) -> None:
        """Have an error say first what the kernel said before it, if that explains it."""
        started = self.cold_start.unclean if self.cold_start is not None else ()
        memory = self.power.spec.equipment.memory
        more = "" if self.board.fixed else f" (--gk-memory {2 * memory} gives it more)"
        explain(error, [*started, *self.console.unclean()], self.memory_left, memory=memory, more=more)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """The same for what the body raises."""
        try:
            yield
        except ApplianceFault as error:
            self.explain(error)
            raise

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
        """Whether what runs is this image: its build timestamp and its SBOM, as far as the image tells them."""
        status = self.status()
        return image.build in ("", status.build_timestamp) and image.sbom_hash in ("", status.sbom_hash)

    @property
    def booted_again(self) -> bool:
        """Whether a restored copy started a kernel by itself, without having been switched off between."""
        goes_on = False
        for boot in self.console.boots:
            if boot.cause in (Cause.KEXEC, Cause.RESET):
                if goes_on:
                    return True
            else:
                goes_on = boot.cause is Cause.RESTORED
        return False

    # -- demands

    def demand(self, name: str) -> AbstractContextManager[None]:
        """Make a demand by name, which a row of harness/appliance/deviations.py may know to be unmet."""
        return demand(name, self.image.modules, self.image.kernel, self.deviations)

    # -- what remains of it

    def boot_times(self) -> list[tuple[str, str, dict[str, float]]]:
        """Each time it became ready: board, "cold" or "warm", and the seconds from power-on to each phase."""
        return [(self.board.name, kind, times) for kind, times in self._ready]

    @staticmethod
    def _times(boot: Boot | None) -> dict[str, float]:
        return {phase.name.lower(): at for phase, at in boot.at.items()} if boot is not None else {}

    def excerpts(self, failure: BaseException | None = None) -> list[tuple[str, str]]:
        """What the device said at last: title and text; one that could not be reached is asked why."""
        parts = [("gokrazy console", self.console.excerpt() or "(the console said nothing)")]
        if self.voice.why:
            parts.append(("gokrazy console, why init is not heard there", self.voice.why))
        if self.console.boots:
            parts.append(("gokrazy boots", "\n".join(str(boot) for boot in self.console.boots)))
        silent = isinstance(failure, DeviceUnreachable | WaitTimeout)
        if silent and self.power.is_on and self.can("serial-shell"):
            parts.append(("gokrazy network, by the device's own word", self.network_from_within()))
        parts.append(("gokrazy files", str(self.folder)))
        return parts

    def close(self) -> None:
        """Switch it off hard, and let go of everything."""
        self._forget_device()
        self.power.off()
        self.console.close()
        self._checkpoints.close()


def _set_time() -> str:
    """The command that sets a clock, in whole seconds; rounded up: it is half a second on its way."""
    return f"date -u -s @{math.ceil(time.time())}"
