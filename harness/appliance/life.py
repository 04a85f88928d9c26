"""Life: an appliance is switched on and off, reboots, and is waited for until it is ready."""

from __future__ import annotations

from collections.abc import Callable

from harness.appliance.assembly import Assembly
from harness.appliance.cold_start import ColdStart
from harness.appliance.past import Past
from harness.appliance.start_watch import StartWatch, unheard
from harness.appliance.time_line import Lane
from harness.boards.parts import Kind
from harness.boards.variants import lacking
from harness.console.phases import Boot, Cause, Phase
from harness.errors import ApplianceFault, DeviceUnreachable, HarnessError, OptionError, WaitTimeout
from harness.gokrazy.status import Status
from harness.gokrazy.waiting import Deadline

QUIET = 15.0
"""Seconds without a word on the console after which a device without a network counts as at rest.

Its services are silent there and still start for a while: with a snapshot taken after 5 s, restored machines took
17 s to answer instead of 10 (raspi3b, medians of 8 and 5).
"""
PAUSE = 0.5
"""Seconds without a word on the console after which a device whose services have settled counts as at rest."""
LOOK = 1.0
"""Seconds between two looks at what the console does not show: QEMU's own failures, a phase that is overdue."""


class Life(Past):
    """The part of an appliance that is about its power and its starts.

    Every wait ends at once with the cause when the console shows a crash.
    """

    def __init__(self, made: Assembly) -> None:
        super().__init__(made)
        self.first_start = made.first_start
        """What became of starts of this image in this run, for whoever starts it as it is."""
        self._boots_before = 0
        self._power_ons_before = 0
        self._starting: StartWatch | None = None

    def check(self) -> None:
        """Raise what is known to be wrong: QEMU itself first, then the console, then a start that is stuck."""
        super().check()
        if self._starting is not None:
            self._starting.check()

    # -- on

    def power_on(self) -> None:
        """Switch it on, from the firmware up."""
        if self.first_start is not None and self._is_as_the_image:
            self.first_start.check()
        self._link.next = Cause.POWER_ON
        self.cold_start = None
        self._boots_before = len(self.console.boots)
        self._power_ons_before = len(self.power.power_ons)
        self._starting = self._watched_start()
        self.power.on()
        self._forget_device()

    def _watched_start(self) -> StartWatch | None:
        """What looks whether the start that begins now is stuck."""
        return StartWatch(
            self.console,
            self.running,
            self.voice,
            self.budget,
            dhcp_runs=self._dhcp_runs,
            no_card=lacking(self.board, self.running, Kind.NETWORK),
        )

    def _dhcp_runs(self) -> bool | None:
        """Whether its DHCP client runs, by its serial shell; None where that does not say."""
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

    def cold_boot(self) -> None:
        """Switch it off properly and on again in a new QEMU, through its firmware, until it is ready."""
        self.power_off()
        self.boot_files = self.read_boot_files()
        self.power_on()
        self.wait_until_ready()

    def reboot(self, *, kexec: bool = True) -> Status:
        """Ask it to reboot and wait until it is ready again; ``kexec=False`` goes through the firmware."""
        before = self.status()
        boots = len(self.console.boots)
        self.device.reboot(kexec=kexec)
        self._comes_back(boots)
        status = self.device.wait_for_reboot(before, self.budget.reboot)
        self._serves()
        return status

    def _comes_back(self, after: int) -> None:
        """Wait until it listens again after a reboot; what gets stuck is found as in any other start."""
        watch = self._watched_start()
        self._starting = watch.of_reboot(after) if watch is not None else None
        self._until_it_listens(after, self.budget.reboot)

    # -- off

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

    def cut_power(self) -> None:
        """Pull the plug: nothing is written any more from this moment on."""
        self.time_line.add(Lane.FAULTS, "the power is cut")
        self.power.off()

    # -- waiting until it is ready

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
        self._ready.append(("cold", {**_times(boot), **({"ready": ready} if answered else {})}))

    def _serves(self) -> None:
        """It is ready: whatever boots from now on is another start."""
        self._starting = None
        self.console.serves()
        self.time_line.add(Lane.BOOT, "ready")
        # Its console may not have said that it has an address.
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
        """Wait until nothing more happens on one whose init runs and which has no network.

        Raises what the console showed if it crashed, else WaitTimeout.
        """
        self.console.wait_for_quiet(QUIET, timeout=self.budget.ready)
        self._serves()
        self._came_up(self.console.recording.seconds(), answered=False)

    def _until_it_listens(self, after: int, limit: float) -> None:
        """Wait until the console says that the web interface listens, in a boot after that number.

        An event, where a connection that is tried too early waits for its own limit: QEMU accepts it before the
        guest has a network. Without a console there is nothing to wait for. What has no password listens on its
        socket only, and says so there.
        """
        if reason := self.missing("ready"):
            raise OptionError(f"{self.console.name}: {reason}")
        if not self.can("console"):
            return
        starting = self._starting is not None and self._starting.watches_network
        with self.console.watch_silence(self.budget.silence, until=Phase.UPDATER if starting else None):
            self._until(Phase.HTTP if self.can("http") else Phase.SOCKET, after, limit)

    def _until(self, phase: Phase, after: int, limit: float) -> None:
        """Wait for a phase, with a look now and then at what the console does not show."""
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


def _times(boot: Boot | None) -> dict[str, float]:
    return {phase.name.lower(): at for phase, at in boot.at.items()} if boot is not None else {}
