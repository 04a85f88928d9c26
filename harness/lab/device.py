"""DeviceLab: what the tests of a process share where a real device is tested instead of machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property

from harness import boards
from harness.appliance.abilities import NO_KEY, NOT
from harness.appliance.assembly import Access, Assembly
from harness.appliance.device_options import At
from harness.appliance.failed_starts import FailedStarts, Start
from harness.appliance.real import RealAppliance
from harness.appliance.real_power import RealPower, Wiring
from harness.appliance.real_target import EMULATION, UNKNOWN, RealTarget, image_of
from harness.appliance.wanted import Wanted
from harness.boards import Board, Boot
from harness.boards.hardware import NAMES
from harness.errors import InternalError, NotOnDevice, OptionError, WaitTimeout
from harness.gokrazy.client import Device
from harness.gokrazy.may import May
from harness.gokrazy.own_keys import find_key, own_folder
from harness.gokrazy.status import Status
from harness.image.arch import NAMES as ARCHES
from harness.image.authorized_keys import authorized_keys
from harness.image.model import Image
from harness.lab.folders import fresh, slug
from harness.lab.journal import Life
from harness.lab.lab import Lab
from harness.machine.equipment import Equipment
from harness.store.locks import KeyLocks

STANDS_FOR = Board(
    name=boards.DEVICE,
    arch=ARCHES[0],
    title="a real device",
    boot=Boot.HARNESS,
    machine="",
    cpu="",
    is_fixed=True,
    has=NAMES,
    rtc="device",
)
"""What stands for a device where a board is asked for. Nothing here says what it has, so nothing is forgiven."""
LOCKS = "devices"
"""The folder in the cache for who has which device."""
FIRST = 60.0
"""Seconds for the first answer: the device may have been plugged in just now."""
SETTLES = 10.0
"""Seconds for breakglass to end by itself on a device that has just started."""
IN_USE = "breakglass runs on the device already, so somebody may be at work there (stop it to have it tested)"


class DeviceLab(Lab):
    """The device of a run. It is asked who it is when the first test is collected."""

    @cached_property
    def boards(self) -> tuple[Board, ...]:
        """The one that stands for the device; raises what keeps the device from answering."""
        return (self.target.board,)

    def board(self, name: str) -> Board:
        """The board that stands for the device; raises OptionError for the name of another one."""
        return self.target.board if name == boards.DEVICE else super().board(name)

    @cached_property
    def status(self) -> Status:
        """What the device said of itself first."""
        settings, at = self.settings, self._at
        if not settings.list:
            self._hold  # noqa: B018  from here on nobody else has it
        image = self._given
        password = settings.password if image is None else image.password
        if password is None:
            raise OptionError("the device's password is not known", hint="give --gk-password-file FILE")
        with self._web(password) as device:
            status = device.wait_until_ready(FIRST * settings.time_factor)
        if image is not None and (image.build not in ("", status.build_timestamp)):
            raise OptionError(
                f"the device runs the build {status.build_timestamp} of {status.hostname}, "
                f"and the image is the build {image.build} of {image.hostname}",
                where=f"{at}, {image.path}",
                hint="name the image that the device runs, or none",
            )
        return status

    @cached_property
    def _hold(self) -> ExitStack:
        """What keeps the device for this run, once no other run of this user's has it."""
        folder = self.settings.cache_root / LOCKS
        folder.mkdir(parents=True, exist_ok=True)
        busy = f"gokrazy: another run has the device at {self._at}: waiting until it ends"
        with ExitStack() as stack:
            stack.enter_context(KeyLocks(folder).alone(slug(str(self._at)), lambda: self.journal.say(busy)))
            return stack.pop_all()

    def close(self) -> None:
        """Let others have the device."""
        super().close()
        hold = vars(self).pop("_hold", None)
        if hold is not None:
            hold.close()

    @cached_property
    def target(self) -> RealTarget:
        """The device, and all that is known of it before a test has it."""
        settings, status = self.settings, self.status
        image = self._given or image_of(status, self._at, settings.password)
        if status.perm_is_mounted and image.perm in ("blank", "mkfs"):
            image = replace(image, perm="other")
        memory = status.memory.get("MemTotal", 0) >> 20
        key, no_key = settings.ssh_key, "" if settings.ssh_key else NO_KEY
        if key is None and self._given is not None and image.breakglass is not None:
            own = find_key({one.blob for one in authorized_keys(image)}, own_folder())
            if own is not None and not own.problem:
                key, no_key = own.path, ""
        return RealTarget(
            board=replace(STANDS_FOR, arch=image.arch, memory=memory or STANDS_FOR.memory),
            image=image,
            known=self._given is not None,
            at=self._at,
            ssh=settings.device_ssh,
            wiring=Wiring(settings.device_serial, settings.device_power, self._may),
            key=key,
            no_key=no_key,
            in_use=IN_USE if self._breakglass_runs(image) else "",
            found={one.path: one for one in status.services},
        )

    def _web(self, password: str | None) -> Device:
        """The device's web interface, which asks what is allowed."""
        device = Device(str(self._at), password=password, verify=False)
        device.guard_by(self._may.request)
        return device

    @cached_property
    def _may(self) -> May:
        return May(self.settings.device_may)

    @property
    def _at(self) -> At:
        if self.settings.device is None:
            raise InternalError("this run has no device")
        return self.settings.device

    @property
    def _given(self) -> Image | None:
        """The image that the user says the device runs."""
        return self.images.given(str(self.settings.image)) if self.settings.image is not None else None

    def _breakglass_runs(self, image: Image) -> bool:
        if image.breakglass is None or "shell" not in self.settings.device_may:
            return False
        path = image.breakglass.path
        with self._web(image.password) as device:
            try:
                device.wait_for_service(path, lambda one: one.stopped, SETTLES, what="stopped")
            except WaitTimeout:
                return True
        return False

    # -- what the plugin asks

    def prepare(self, needed: Mapping[tuple[str, str], bool]) -> None:
        """Report what is tested, and what will be left alone."""
        target, journal = self.target, self.journal
        if target.wiring.serial is not None:
            # A port that cannot be had is one error, and not one a test.
            target.wiring.serial.open(gate=lambda: None, on_lost=lambda _: None).close()
        image, wiring = target.image, target.wiring
        paths = [service.path for service in image.services]
        self.settings.expected.check(paths, where=f"{image.hostname} ({target.at})")
        may = ", ".join(sorted(wiring.may.allowed)) or "only look"
        line = wiring.serial or "none"
        journal.board(
            target.board.name,
            f"{target.at}, {self.status.model or 'no model named'}; serial line: {line}; tests may: {may}",
        )
        if target.known:
            journal.image("image", image)
        else:
            journal.note_once(f"{image.hostname} is known by its own word only: {UNKNOWN}")
        if target.in_use:
            journal.note_once(f"{image.hostname}: {target.in_use}")
        if any(needed.values()) and not wiring.may.refusal("update"):
            try:
                journal.image("next image", self.next_image(target.board, "hello"))
            except NotOnDevice:
                # Each test that wants one is skipped, with this reason.
                return

    def next_image(self, board: Board, family: str) -> Image:
        """What an update installs: the image that was given, else once more that which runs."""
        if self.settings.next_image is None and self.settings.image is None:
            raise NotOnDevice("there is nothing to update the device to (--gk-next-image)")
        return super().next_image(board, family)

    def skip_reason(self, wanted: Wanted) -> str:
        """Return why a test that wants this is skipped, "" when it runs."""
        if reason := self._no_such_image(wanted):
            return reason
        target = self.target
        if wanted.machines > 1:
            return f"{EMULATION}: it has a second appliance"
        if not wanted.running:
            return f"{EMULATION}: it begins with an appliance that is off"
        if wanted.network is not None or wanted.clock is not None:
            return f"{EMULATION}: it begins with another network, or another clock"
        voice = target.voice(target.image)
        needs = [*wanted.abilities, *(["power"] if self._is_cold(wanted) else [])]
        lacks = (target.missing(need, target.image, voice) for need in needs)
        if lack := next(filter(None, lacks), ""):
            return lack
        return f"{NOT}{refusal}" if wanted.reboots and (refusal := self._may.refusal("reboot")) else ""

    foreseen_skip = skip_reason

    def _is_cold(self, wanted: Wanted) -> bool:
        """Whether it is about a start, which only a power cycle shows."""
        return wanted.cold or wanted.about_boot

    @contextmanager
    def appliance(self, wanted: Wanted) -> Iterator[RealAppliance]:
        """The device for one test, left as it was found when the ``with`` block ends."""
        appliance = self._assemble(wanted)
        self._appliances[wanted.name] = appliance
        try:
            with self._start.watched(appliance.folder), appliance.explained():
                self._start.check()
                appliance.begin(self.status, cold=self._is_cold(wanted))
            yield appliance
        finally:
            self.journal.lived(Life.of(appliance))
            appliance.close()

    def starts_warm(self, wanted: Wanted) -> bool:  # noqa: ARG002
        """Never: it runs already."""
        return False

    def live(self, name: str) -> RealAppliance | None:
        """The last appliance that was made under this name, also after its end; None when there was none."""
        return self._appliances.get(name)

    @cached_property
    def _appliances(self) -> dict[str, RealAppliance]:
        return {}

    @cached_property
    def _start(self) -> Start:
        """All tests have the same device: where it does not answer to one, the others need not wait for it."""
        folder = None if self.settings.boot_again else self.folders.folder("starts")
        return FailedStarts(folder, note=self.journal.note).of(f"the device at {self._at}")

    def _assemble(self, wanted: Wanted) -> RealAppliance:
        target, settings = self.target, self.settings
        made: list[RealAppliance] = []
        assembly = Assembly(
            board=target.board,
            equipment=Equipment(network="open", memory=target.board.memory),
            power=lambda link: RealPower(target.board, target.wiring, link, check=lambda: made[0].check_at_end()),
            image=target.image,
            budget=target.board.budget.scaled(settings.time_factor),
            disks=self.folders.folder("disk"),
            folder=fresh(settings.artifacts / slug(wanted.name)),
            files_of=self.images.update_files,
            gok_config=self.images.gok_config,
            voice_of=target.voice,
            access=Access(target.key, target.no_key),
            expected=settings.expected,
            table=settings.table,
            allow=wanted.allow,
        )
        made.append(RealAppliance(assembly, target))
        return made[0]
