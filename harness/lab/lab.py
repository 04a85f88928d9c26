"""Lab: everything a session shares: boards, images, captures, and the appliances made of them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self, TextIO

from harness import boards
from harness.boards import Board, Budget
from harness.boards.board import SD
from harness.errors import AcceleratorFailed, BoardMismatch, HarnessError, HostDiskFull, OptionError, ToolMissing
from harness.image.model import PERM_TITLES, Image
from harness.lab.accelerators import Accelerators
from harness.lab.images import FROM, Stock
from harness.lab.run_key import RunKey
from harness.lab.run_news import RunNews
from harness.options import OWN_ARGUMENTS, Clock, Settings
from harness.run.equipped import equipped, try_arguments

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance
    from harness.appliance.failed_starts import FailedStarts, Start
    from harness.firmware.voice import Voice
    from harness.lab.captures import Booted, Captures
    from harness.lab.room import Room
    from harness.machine.accelerator import Accelerator
    from harness.machine.equipment import Equipment, Network
    from harness.machine.qemu import QemuProgram
    from harness.machine.run_dir import RunDir
    from harness.machine.spec import Nursed, Spec


class Lab:
    """What the tests of one process share; made cheaply, it opens things when they are first needed.

    ``say`` is told what takes long. ``shared`` is a folder of the process that this one works for: what is booted
    for tests is kept there for all who do.
    """

    def __init__(
        self, settings: Settings, *, shared: Path | None = None, say: Callable[[str], None] = lambda _: None
    ) -> None:
        self.settings = settings
        self._shared = shared
        self.say = say
        self.stock = Stock(settings, folder=lambda name: self.run_dir.folder(name, bulky=True), say=say)
        self.news = RunNews(say=say, build_seconds=self.stock.build_seconds)
        self._run_dir: RunDir | None = None
        self._captures: Captures | None = None
        self.key = RunKey(settings, run_dir=lambda: self.run_dir, captures=lambda: self.captures)
        self._qemus: dict[str, QemuProgram] = {}
        self._accelerators = Accelerators(
            settings,
            run_dir=lambda: self.run_dir,
            image=lambda board: self.stock.image(board, "hello"),
            qemu=self.qemu,
            note=self.news.note,
        )
        self._room: Room | None = None
        self._starts: FailedStarts | None = None
        self._live: dict[str, Appliance] = {}
        self._unfit: dict[str, str] = {}
        self._voices: dict[tuple[str, str], Voice] = {}

    # -- boards

    @property
    def boards(self) -> tuple[Board, ...]:
        """The boards of this run: those asked for, else the default ones that fit what is tested.

        Raises BoardMismatch for a board that was asked for and does not fit.
        """
        reasons = {board.name: self.stock.why_not(board) for board in boards.boards()}
        if self.settings.boards is None:
            pi = boards.names(boards.Default.RASPBERRY)
            of_a_pi = not self.settings.is_own and not all(reasons[name] for name in pi)
            names = pi if of_a_pi else boards.names(boards.Default.ALWAYS)
            return equipped(boards.boards(tuple(name for name in names if not reasons[name])), self.settings)
        wrong = [f"{name}: {reasons[name]}" for name in self.settings.boards if reasons[name]]
        if wrong:
            raise BoardMismatch(
                f"what is to be tested cannot run on {'; '.join(wrong)}",
                hint=f"boards that can: {', '.join(name for name in reasons if not reasons[name]) or 'none'}",
            )
        return equipped(boards.boards(self.settings.boards), self.settings)

    def budget(self, board: Board) -> Budget:
        """The board's time limits for the accelerator and factor of this run."""
        return board.budget.scaled(self.settings.time_factor * self.accelerator(board).factor)

    def qemu(self, board: Board) -> QemuProgram:
        """The QEMU that plays this board, asked once a run; raises ToolMissing."""
        if board.name not in self._qemus:
            from harness.machine.qemu import find_qemu

            self._qemus[board.name] = find_qemu(board)
        return self._qemus[board.name]

    def accelerator(self, board: Board) -> Accelerator:
        """What runs this board's processors here, tried once a run."""
        return self._accelerators.of(board)

    def accelerator_so_far(self, name: str) -> str:
        """The accelerator of a board by name, "" when none was needed yet."""
        return self._accelerators.so_far(name)

    # -- images

    def prepare(self, wanted: Mapping[tuple[str, str], bool]) -> None:
        """Find QEMU and make every image that the tests will need; says what was made.

        ``wanted`` maps board and family to whether there are tests that update.
        """
        for (name, family), updates in wanted.items():
            board = boards.board(name)
            try:
                qemu = self.qemu(board)
            except ToolMissing as error:
                if "too old" not in error.what:
                    raise
                self._unfit[name] = f"this host's QEMU is too old for {name}: {error.what}"
                continue
            image = self.stock.image(board, family)
            if family == "hello":
                paths = [service.path for service in image.services]
                self.settings.expected.check(paths, where=f"{image.hostname} ({image.path})")
            title = f"image {family}" if self.settings.is_own else "image"
            self.news.image(title, image)
            if self.settings.clock == "now" and not board.knows_time and image.perm != "ext4":
                raise OptionError(
                    f"--gk-clock now puts the time into /perm, which is {PERM_TITLES[image.perm]} in the image",
                    where=str(image.path),
                    hint="--gk-perm ext4 formats it on each test's disk",
                )
            if family != FROM:
                self.key.check_given(image)
            own = self.key.own(image)
            if own is not None and not own.problem:
                self.news.note_once(f"{image.hostname}: breakglass is entered with {own.path}, which is only read")
            accelerator = self.accelerator(board)
            line = f"{board.title}; QEMU {qemu.version}, {accelerator.name} ({accelerator.reason})"
            if told := self.settings.equipment.told_on(board):
                line += f"; {told}"
            if self.settings.qemu_arg:
                self.news.fact("WARNING", OWN_ARGUMENTS)
                try_arguments(self, board)
            self.news.board(name, line)
            self._tell_of_silence(board, image)
            if updates:
                following = self.stock.next_image(board, family)
                if following is not image:
                    self.news.image(f"next {title}", following)

    def _tell_of_silence(self, board: Board, image: Image) -> None:
        """Say before the first start what cannot be heard or asked, and why nobody may reach it."""
        voice = self.voice(board, image)
        subject = f"{image.hostname} on {board.name}"
        if voice.why:
            self.news.note_once(f"{subject} is tested without its console: {voice.why}")
        elif not voice.kernel:
            self.news.note_once(f"{subject}: its kernel is told to be quiet, so the console begins with init")
        if not image.serves_tcp:
            from harness.appliance.abilities import SOCKET_ONLY

            self.news.note_once(f"{subject} is tested without its web interface: {SOCKET_ONLY}")
        if not image.starts_dhcp:
            from harness.appliance.start_watch import why_no_address

            self.news.note_once(f"{subject} may get no address: {why_no_address(image)}")

    # -- appliances

    @property
    def run_dir(self) -> RunDir:
        """The private folder of this run, with the guard over it."""
        if self._run_dir is None:
            from harness.machine.run_dir import RunDir

            self._run_dir = RunDir()
            if self._run_dir.removed:
                self.news.note(f"removed what {len(self._run_dir.removed)} runs left that died with their host")
        return self._run_dir

    @property
    def room(self) -> Room:
        """The memory and processors of this host that machines are given."""
        if self._room is None:
            from harness.lab.room import Room

            self._room = Room(self.run_dir, say=self.say, waited=self.news.waited)
        return self._room

    @property
    def artifacts(self) -> Path:
        """Where logs and the report go."""
        return self.settings.artifacts

    def why_not(self, board: Board, family: str, needs: Iterable[str]) -> str:
        """Return why a test that needs this cannot run, "" when it can."""
        from harness.appliance.abilities import NOT, missing

        if board.name in self._unfit:
            return self._unfit[board.name]
        if not self.settings.is_own and family == "crasher":
            return f"{NOT}it needs the project's own {family} image"
        image = self.stock.image(board, family)
        voice, no_key = self.voice(board, image), self.key.why_not(image)
        return next((reason for need in needs if (reason := missing(image, need, voice=voice, no_key=no_key))), "")

    def foreseen(self, board: Board, family: str, needs: Iterable[str]) -> str:
        """Return what ``why_not`` will, as far as that is known before an image is built."""
        if self.stock.is_here(board, family) or (family == "crasher" and not self.settings.is_own):
            return self.why_not(board, family, needs)
        from harness.lab.foreseen import foreseen

        return foreseen(self.stock.instance(board, family), needs, serial=self.settings.serial)

    def voice(self, board: Board, image: Image) -> Voice:
        """Who is heard on the board's serial port when it runs this image; looked up once."""
        key = board.name, image.digest
        if key not in self._voices:
            from harness.firmware.voice import voice_of

            self._voices[key] = voice_of(image, board, quirks=not self.settings.no_quirks)
        return self._voices[key]

    @property
    def captures(self) -> Captures:
        """The machines that were booted once."""
        if self._captures is None:
            from harness.lab.captures import Captures

            self._captures = Captures(self.settings, self.run_dir, shared=self._shared, say=self.say)
        return self._captures

    @contextmanager
    def appliance(
        self,
        board: Board,
        image: Image,
        *,
        name: str,
        running: bool = True,
        cold: bool = False,
        reboots: bool = False,
        network: Network | None = None,
        clock: Clock | None = None,
    ) -> Iterator[Appliance]:
        """An appliance of its own for whoever asks, gone when the ``with`` block ends; ``name`` is for its logs.

        ``running`` waits until it is ready; unless ``cold``, it may be a restored copy of a machine booted before.
        ``reboots`` tells that it will boot again, for which a restored copy pays where the board says so.
        It waits until this host has room for it. Where KVM breaks while it starts, it starts once more under TCG.
        """
        from harness.lab.equipment import equipment

        known = self._start_of(board, image, network=network, clock=clock) if running else None
        if known is not None:
            known.check()
        with ExitStack() as stack:
            # Before the capture is asked for: whoever makes one for others must not be kept waiting by them.
            fitted = equipment(self.settings, image).on(board)
            stack.enter_context(self.room.reserve(fitted.memory, fitted.cpus))

            if known is not None:
                # While it waited, another test may have learned that it does not come up.
                known.check()

            def start() -> Appliance:
                return stack.enter_context(
                    self._appliance(
                        board,
                        image,
                        name=name,
                        running=running,
                        cold=cold,
                        reboots=reboots,
                        network=network,
                        clock=clock,
                    )
                )

            chosen = self.accelerator(board)
            try:
                appliance = start()
            except AcceleratorFailed as error:
                if self.accelerator(board) is chosen:
                    self._accelerators.fall_back(board, error)
                appliance = start()
            yield appliance

    @contextmanager
    def _appliance(
        self,
        board: Board,
        image: Image,
        *,
        name: str,
        running: bool = True,
        cold: bool = False,
        reboots: bool = False,
        network: Network | None = None,
        clock: Clock | None = None,
        ram: Path | None = None,
    ) -> Iterator[Appliance]:
        """The same without asking for room; ``ram`` is for one to be captured: the file that is its memory."""
        from harness.lab.equipment import equipment

        board = board.fitted(image)
        mode, known = network or self.settings.network, clock or self.settings.clock
        asked = replace(equipment(self.settings, image), network=mode)
        spec = self._spec(board, image, asked, reboots=reboots, memory_file=ram)
        warm = running and not cold and self.settings.warm != "off" and board.can_capture
        # What arguments of the user's own add has a state that no capture is known to hold.
        warm = warm and not spec.equipment.qemu_args
        warm = warm and (mode, known) == (self.settings.network, self.settings.clock)
        # Only its console tells how far one comes without a network, and without the quirks it has no use for one.
        hotplugs = board.workarounds.nic_after_restore is not None
        warm = warm and not (hotplugs and (self.settings.no_quirks or not self.voice(board, image).init))
        booted = self.booted(board, image) if warm else None
        firmware = self.run_dir.folder("firmware")
        appliance = self._make(spec, image, name, booted, firmware)
        appliance.no_key = self.key.why_not(image)
        start = appliance.first_start = self._start_of(board, image, network=mode, clock=known)
        self._live[name] = appliance
        try:
            if known == "now" and not board.knows_time:
                if booted is None:
                    appliance.set_clock(datetime.now(UTC))
                    appliance.power.overlay.written.clear()
                appliance.knows_time = True
            if booted is not None:
                appliance.restore(booted.capture, booted.start)
            elif running:
                with start.watched(appliance.folder), appliance.explained():
                    appliance.power_on()
                    if ram is not None and board.workarounds.nic_after_restore:
                        appliance.wait_until_it_runs()
                    else:
                        appliance.wait_until_ready()
                if ram is not None and board.workarounds.nic_after_restore:
                    appliance.wait_until_quiet()
                elif ram is not None:
                    appliance.wait_until_at_rest()
            yield appliance
        finally:
            self.news.life_of(appliance)
            appliance.close()
            self._conclude(appliance, name)
            shutil.rmtree(firmware, ignore_errors=True)

    def _conclude(self, appliance: Appliance, name: str) -> None:
        """Tell what its QEMU was put through, and how it had to be ended; give up an accelerator that broke."""
        from harness.machine.ending import Rung

        power = appliance.power
        for rung in power.rungs:
            if rung in (Rung.TERM, Rung.KILL):
                self.news.note(f"{name}: QEMU did not quit when it was asked to: it took {rung.value}")
        if appliance.booted_again and power.board.workarounds.one_thread_at_boot and power.in_many_threads:
            self.news.note(
                f"{name}: it booted again after it was restored with a thread for each processor, "
                "which QEMU can get wrong: mark the test gk_reboots"
            )
        try:
            power.check()
        except AcceleratorFailed as error:
            with suppress(AcceleratorFailed):
                self._accelerators.fall_back(appliance.board, error)
        except HarnessError:
            pass

    def booted(self, board: Board, image: Image) -> Booted:
        """The machine of this image that was booted once, for others to go on from."""
        from harness.lab.captures import Booted, identity
        from harness.lab.equipment import equipment
        from harness.machine.capture import RAM

        name = f"captured-{board.name}-{image.hostname}"
        # Beyond the start itself: one that comes up and cannot be captured says nothing about cold starts.
        captured = self._start_of(board, image, captured=True)
        captured.check()

        def boot(folder: Path, base: Path) -> Booted:
            captured.check()
            with (
                captured.watched(self._logs(name)),
                self._appliance(board, image, name=name, cold=True, ram=folder / RAM) as appliance,
            ):
                return Booted(*appliance.take_snapshot(folder, base=base))

        spec = self._spec(board.fitted(image), image, equipment(self.settings, image))
        return self.captures.get(
            identity(
                spec,
                image,
                firmware=self.captures.firmware(spec.board, spec.qemu),
                key=self.key.public_line if self.key.is_put_on(image) else "",
                clock=self.settings.clock,
            ),
            image,
            boot,
        )

    def _start_of(
        self,
        board: Board,
        image: Image,
        *,
        network: Network | None = None,
        clock: Clock | None = None,
        captured: bool = False,
    ) -> Start:
        """A start of this image as it is, for what became of it in this run."""
        if self._starts is None:
            from harness.appliance.failed_starts import FailedStarts

            # Who repeats tests, or wants each start, looks for one that goes otherwise: nothing is shared then.
            alone = self.settings.boot_again or self.settings.repeat > 1
            folder = None if alone else self._shared or self.run_dir.folder("starts")
            self._starts = FailedStarts(folder, note=self.news.note)
        return self._starts.of(
            f"{image.hostname} on {board.name}{', to be captured,' if captured else ''}",
            image=image.digest,
            perm=image.perm,
            board=board.name,
            accelerator=self.accelerator(board).name,
            network=network or self.settings.network,
            clock="" if board.knows_time else clock or self.settings.clock,
            captured=captured,
        )

    def _logs(self, name: str) -> Path:
        return self.artifacts / _slug(name)

    def _spec(
        self,
        board: Board,
        image: Image,
        asked: Equipment,
        *,
        reboots: bool = False,
        memory_file: Path | None = None,
    ) -> Spec:
        """What the machine of this board and image is to be."""
        from harness.machine.spec import Spec

        return Spec(
            board=board,
            qemu=self.qemu(board),
            accelerator=self.accelerator(board),
            equipment=asked,
            reboots=reboots,
            nurse_network=self._nurses_network(board, image),
            memory_file=memory_file,
            fast_boot=self.settings.fast_boot,
            quirks=not self.settings.no_quirks,
        )

    def _nurses_network(self, board: Board, image: Image) -> Nursed:
        """Whether the network comes late, and who says when it is due."""
        if self.settings.no_quirks or not (board.workarounds.late_nic or board.workarounds.late_answers):
            return "no"
        return "console" if self.voice(board, image).init else "disk"

    def _make(self, spec: Spec, image: Image, name: str, booted: Booted | None, firmware: Path) -> Appliance:
        from harness.appliance.appliance import Appliance
        from harness.appliance.assembly import Access, Assembly
        from harness.firmware.choice import stage_for
        from harness.machine.overlay import Overlay

        board, run_dir = spec.board, self.run_dir
        folder = run_dir.folder("disk", bulky=True)
        if booted is None:
            base, base_format = self.key.base(image)
            beside = spec.equipment.make_disks(folder)
            overlay = Overlay.create(base, folder, base_format=base_format, beside=beside)
        else:
            overlay = booted.capture.overlay(folder)
        if board.disk == SD:
            overlay.resize_to_power_of_two()
        if spec.nurse_network != "no":
            late = (board.workarounds.late_nic, board.workarounds.late_answers)
            self.news.firmware(board.name, *(f"network: {one.note}" for one in late if one is not None))
        made = Assembly(
            spec=spec,
            image=image,
            budget=self.budget(board),
            overlay=overlay,
            stage=stage_for(board, image.layout, firmware, fast_boot=spec.fast_boot, quirks=spec.quirks),
            run_dir=run_dir,
            folder=_fresh(self._logs(name)),
            access=Access(self.key.of(image), self.key.why_not(image)),
            files_of=self.stock.update_files,
            voice_of=lambda image: self.voice(board, image),
            expected=self.settings.expected,
        )
        return Appliance(made)

    def show(self, board: Board, *, network: Network, out: TextIO) -> None:
        """Boot the image on this board and show its console, until it ends or the user has seen enough."""
        image = self.stock.image(board, "hello")
        with self.appliance(board, image, name="boot", cold=True, network=network, running=False) as appliance:
            if self.settings.qemu_arg:
                self.say(f"gokrazy: WARNING: {OWN_ARGUMENTS}")
            if told := self.settings.equipment.told_on(board):
                self.say(f"gokrazy: {board.name}: {told}")
            appliance.power_on()
            if appliance.voice.why:
                self.say(f"gokrazy: init is not heard on this console: {appliance.voice.why}")
            for port, here in appliance.power.ports.items():
                self.say(f"gokrazy: port {port}: 127.0.0.1:{here}")
            shown = appliance.console.mark()
            while appliance.power.is_on:
                appliance.console.wait(0.2)
                mark = appliance.console.mark()
                out.write(appliance.console.since(shown))
                out.flush()
                shown = mark

    def live(self, name: str) -> Appliance | None:
        """The last appliance that was made under this name, also after its end; None when there was none."""
        return self._live.get(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every machine and remove every disk."""
        if self._captures is not None:
            self._captures.close()
            self._captures = None
        if self._run_dir is not None:
            self._run_dir.close()
            self._run_dir = None
        self.stock.close()


def _fresh(folder: Path) -> Path:
    """A folder with nothing of an earlier run in it."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise HostDiskFull(f"cannot keep logs any more: {error.strerror}", where=str(folder)) from error
    return folder


def _slug(name: str) -> str:
    """A test's name as a folder's."""
    return re.sub(r"[^A-Za-z0-9.=-]+", "_", name.replace(".py::", "-")).strip("_")
