"""RealAppliance: an appliance that is a real device, under the verbs that scenarios know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from harness.appliance.appliance import Appliance
from harness.appliance.assembly import Assembly
from harness.appliance.real_power import RealPower
from harness.appliance.real_target import RealTarget
from harness.appliance.time_line import Lane
from harness.appliance.updates import Client
from harness.console.phases import Boot, Cause, Phase
from harness.console.shell import SerialShell
from harness.console.slot import Slot
from harness.errors import (
    DeviceUnreachable,
    HarnessError,
    HostFault,
    NotOnDevice,
    RebootLoop,
    WaitTimeout,
)
from harness.gokrazy.breakglass import Breakglass
from harness.gokrazy.client import Device
from harness.gokrazy.endings import Attempt
from harness.gokrazy.status import ServiceStatus, Status
from harness.gokrazy.update_server import UpdateServer
from harness.gokrazy.waiting import Deadline, Done, NotYet, poll
from harness.image.model import Image, UpdateFiles
from harness.machine.ports import Port

LINE_LAG = 15.0
"""Seconds for what a device has said to come over its serial line."""
SYNCED = 10.0
"""Seconds from the last answer of a device that switches itself off until its power may go."""


FEWEST = 2
"""Services that must all have been started anew before that is taken for a start of the device."""


class RealAppliance(Appliance):
    """A real device for one test. It is taken as it is, left as it was found, and never switched off at the end.

    What is said of a start comes from its web interface. The serial line adds to that, and shows how it dies.
    """

    is_emulated = False
    power: RealPower

    def __init__(self, made: Assembly, target: RealTarget) -> None:
        self._target = target
        self._may = target.wiring.may
        self._before: dict[str, ServiceStatus] = {}
        """Its services when the test began."""
        self._slot_before: Slot | None = None
        super().__init__(made)
        self._files, self._files_of = made.files_of, self._fitting_files
        self._after: int | None = None
        """The last boot before the start that is waited for, None when none is."""

    # -- what it can do

    def missing(self, ability: str) -> str:
        """Return what it lacks for this ability, and why; "" when it has all."""
        boot = self.console.current
        if ability == "slot" and boot is not None and boot.slot is not None:
            return ""
        return self._target.missing(ability, self.running, self.voice)

    def port(self, port: int | str) -> int:
        """The port of the device at which this one of it is reached: another one only for its web interface."""
        number, at = Port.parse(port).number, self._target.at
        usual = self.image.http_port if at.scheme == "http" else self.image.https_port
        return at.port if number == usual else number

    def url(self, port: int | str, path: str = "", *, scheme: str = "http") -> str:
        """Where to reach what listens on a port of the device."""
        at, number = self._target.at, Port.parse(port).number
        if at.scheme == "https" and number == self.image.http_port:
            return f"{at}{path}"
        return f"{scheme}://{at.in_url}:{self.port(port)}{path}"

    def device_with_password(self, password: str | None) -> Device:
        """Return its web interface as somebody sees it who knows this password; it asks what is allowed."""
        device = super().device_with_password(password)
        device.guard_by(self._may.request)
        return device

    def _gate(self) -> Callable[[str, str, object], None]:
        """A browser sends what is allowed, and nothing else."""
        return self._may.request

    @property
    def shell(self) -> SerialShell:
        """The root shell on the serial console; raises NotOnDevice where it may not be used."""
        self._may.demand("shell")
        return super().shell

    def _breakglass(self, key: Path | None) -> Breakglass:
        self._may.demand("shell")
        if self._target.in_use:
            raise NotOnDevice(self._target.in_use)
        return super()._breakglass(key)

    def _ssh_address(self, port: int) -> tuple[str, int]:
        at = self._target.ssh
        return (at.host, at.port) if at is not None else (self._target.at.host, port)

    @property
    def ssh_command(self) -> str:
        """None is offered: whoever has the device knows the way in."""
        return ""

    # -- its life

    def begin(self, status: Status, *, cold: bool) -> None:
        """Take the device as it is, or ``cold`` after a power cycle; ``status`` is what it said when it was found.

        Raises what keeps it from answering.
        """
        running = {Phase.BUILD: 0.0, Phase.UPDATER: 0.0, Phase.HTTP: 0.0}
        self.power.listen(
            Boot(
                0,
                Cause.RESTORED,
                0.0,
                running,
                kernel=status.kernel_release,
                build=status.build_timestamp,
                hostname=status.hostname,
            )
        )
        self._switch_on()
        now = self.device.wait_until_ready(self.budget.ready)
        if now.build_timestamp != self.image.build and self.image.build:
            raise NotOnDevice(
                f"the device runs the build {now.build_timestamp}, and not {self.image.build}: "
                "an earlier test left it so, or --gk-image names another image"
            )
        self._serves()
        if cold:
            self._slot_before = self.slot if self.can("slot") else None
            self.cold_boot()
            now = self.status()
        self._before = {one.path: one for one in now.services}
        if self._may.restarted:
            # All of its services are as young as its start: they are judged as those of a machine.
            self._target.found.clear()
            self._may.touched.clear()
        self._may.restarted = False

    @property
    def first_slot(self) -> Slot:
        """The slot that ran before the test switched it off; else the one that runs."""
        return self._slot_before or self.slot

    def _watched_start(self) -> None:
        """Nothing: a line that is wired wrong is not to be taken for a start that is stuck."""

    def power_off(self) -> None:
        """Have it switch itself off, wait until it is silent, and take its power."""
        if reason := self._target.wiring.no_power:
            raise NotOnDevice(reason)
        self.device.power_off()
        self._target.wiring.is_off = True
        self._until_it_is_silent()
        self.power.off()

    def cold_boot(self) -> None:
        """Switch it off properly and on again, until it is ready."""
        self.power_off()
        self.power_on()
        self.wait_until_ready()

    def _until_it_is_silent(self) -> None:
        """Until it may lose its power: its kernel said so, or it answers no more and had time to write."""

        def said_so() -> bool:
            boot = self.console.current
            return boot is not None and not {Phase.POWER_DOWN, Phase.HALTED}.isdisjoint(boot.at)

        def attempt(_: Deadline) -> Done[None] | NotYet:
            if said_so():
                return Done(None)
            seen = self.device.probe(timeout=2.0)
            return NotYet("it still answers") if seen.status is not None else Done(None)

        where = self.console.name
        poll("the device to switch itself off", self.budget.power_off, attempt, where=where, check=self.check)
        if not said_so():
            self.console.wait(SYNCED)

    def _until_it_listens(self, after: int, limit: float) -> None:  # noqa: ARG002
        """Its web interface says that itself: a line that is wired wrong is not to be taken for a dead device."""
        if reason := self.missing("ready"):
            raise NotOnDevice(reason)
        self._after = after

    def _serves(self) -> None:
        """It is ready; where its start must have been heard, it was."""
        after, self._after = self._after, None
        if after is not None and self.can("console"):
            try:
                self.console.wait_for_phase(Phase.UPDATER, timeout=LINE_LAG, after=after)
            except WaitTimeout as error:
                raise HostFault(
                    "the device has started and answers, and its serial line has not shown that",
                    where=str(self._target.wiring.serial),
                    hint="check cable, port and speed of --gk-device-serial, and that it is the device's console",
                    evidence=error.evidence,
                ) from None
        super()._serves()

    # -- what is asked of it

    def flip(self, image: Image) -> None:
        """Have it switch to the inactive slot, which holds ``image``, and reboot."""
        self._must_fit(image)
        super().flip(image)

    def _fitting_files(self, image: Image) -> UpdateFiles:
        """What an update to this image sends; raises NotOnDevice for one with which the device would not start."""
        self._must_fit(image)
        return self._files(image)

    def _must_fit(self, image: Image) -> None:
        if lack := self.missing("update"):
            raise NotOnDevice(lack)
        if reason := self._target.misfit(image):
            raise NotOnDevice(f"the device would not start with {image.hostname} ({image.path}): {reason}")

    def update_with(self, image: Image, client: Client) -> None:
        """Have somebody else's client update it, where a run may do to the device what that does."""
        for kind in ("update", "reboot"):
            self._may.demand(kind)
        self._may.restarted = True
        super().update_with(image, client)

    def run_instead(self, service: str, program: Path | str, *flags: str) -> ServiceStatus:
        """Run a program in place of a service; what ends there is the service, until the device boots again."""
        runs = super().run_instead(service, program, *flags)
        self._may.touched.add(runs.path)
        return runs

    def update_server(self) -> UpdateServer:
        """Refused: this host's own address is not known to a device."""
        raise NotOnDevice(
            "the update server listens for a machine of this host, and the appliance is a real device"
        )

    def checkpoint(self, name: str) -> None:
        """Refused: nobody can take a snapshot of a real device."""
        raise NotOnDevice(f"the checkpoint {name!r} needs emulation, and the appliance is a real device")

    def rewind(self, name: str) -> None:
        """Refused, as ``checkpoint``."""
        self.checkpoint(name)

    # -- how it is judged

    def _judged(self, service: ServiceStatus, tries: list[Attempt]) -> list[Attempt]:
        """Those since the run began, or since the device started: what was before, nobody here answers for."""
        before = self._target.found.get(service.path)
        same = before is not None and (before.pid, before.started) == (service.pid, service.started)
        return [] if same or service.path in self._may.touched else tries

    def _fell_unheard(self, service: ServiceStatus) -> str:  # noqa: ARG002
        """Unknown: others may have started it again."""
        return ""

    def check_at_end(self) -> None:
        """Raise where the device has died, or was started again, and nothing had asked for that."""
        asked = self._may.restarted or any(one.expected for one in self.console.findings)
        touched = self._may.touched
        first = {one.path: one.started for one in self._before.values() if one.started and one.path not in touched}
        # One service may have fallen by itself: all of several do not.
        if asked or len(first) < FEWEST:
            return
        now = {one.path: one.started for one in self.status().services if one.path in first}
        if now and all(first[path] != started for path, started in now.items()):
            raise RebootLoop(
                "the device was started again in this test, and nothing had asked for it",
                where=self.device.url,
                hint="a serial line (--gk-device-serial) shows what it dies of"
                if self._target.wiring.serial is None
                else "",
                evidence=self.console.excerpt(25),
            )

    def close(self) -> None:
        """Leave the device as it was found, running, and let go of everything."""
        for restore in (self._switch_on, self._put_services_back):
            try:
                restore()
            except HarnessError as error:
                self.time_line.add(Lane.NOTES, f"the device is not left as it was found: {error.what}")
        self._forget_device()
        self.power.let_go()
        self.console.close()
        self._checkpoints.close()

    def _switch_on(self) -> None:
        if not self.power.is_on:
            self.power.on()

    def _put_services_back(self) -> None:
        if not self.power.is_on or not self._may.touched:
            return
        verbs: Mapping[bool, Callable[[str], object]] = {True: self.device.stop, False: self.device.start}
        with suppress(DeviceUnreachable):
            for one in self.status().services:
                before = self._before.get(one.path)
                if one.path in self._may.touched and before is not None and one.stopped != before.stopped:
                    verbs[before.stopped](one.path)
