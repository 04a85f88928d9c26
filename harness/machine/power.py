"""The power supply and the reset line of one appliance, over as many QEMU processes as it takes.

Where the harness plays the boot loader, QEMU leaves at a reset; this layer reads the boot partition again and
starts QEMU anew, by itself and in a thread of its own, so that a reboot goes on without anybody waiting for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.boards import Board, Boot
from harness.errors import HarnessError, InternalError, PortTaken
from harness.firmware.stage import Loaded, Stage
from harness.machine.accelerator import Accelerator
from harness.machine.capture import RAM, Capture, load, save
from harness.machine.command import Ram, Threads
from harness.machine.ending import Ended, Rung
from harness.machine.equipment import Equipment
from harness.machine.late_network import LateNetwork
from harness.machine.machine import ConsoleSink, Machine
from harness.machine.overlay import Overlay
from harness.machine.ports import Port
from harness.machine.qemu import QemuProgram, find_qemu
from harness.machine.qmp import Event
from harness.machine.run_dir import RunDir

RESET = "reset"
HALTED = "halted"


@dataclass(frozen=True)
class PowerOn:
    """The firmware began anew, or a captured machine goes on.

    ``cause`` is ``power-on``, ``power-cycle``, ``restored``, ``halted`` (the kernel wanted to restart and could
    not), or QEMU's word for a reset (``guest-reset``, ``host-qmp-system-reset``). A reboot by kexec is none: the
    machine does not notice it.
    """

    number: int
    """Counted from 1."""
    cause: str
    new_process: bool
    at: float
    """``time.monotonic()``."""
    loaded: Loaded


class SeaBiosEcho:
    """Tells SeaBIOS's own reset from a reset that somebody wanted.

    When SeaBIOS finds at the reset vector that it ran before, it resets the machine once more to start from a
    clean state: each RESET on a BIOS board is followed by a second one, a fifth of a second later on a busy host.
    """

    WINDOW = 5.0
    """Seconds; a kernel that crashes sooner still resets in such pairs, so its resets are counted right."""

    def __init__(self) -> None:
        self._expected_until = 0.0

    def is_echo(self, event: Event) -> bool:
        """Whether this RESET only repeats the one before."""
        if event.data.get("reason") == "guest-reset" and event.at < self._expected_until:
            self._expected_until = 0.0
            return True
        self._expected_until = event.at + self.WINDOW
        return False


News = Event | Ended | PowerOn | HarnessError
Listener = Callable[[News], None]


class Power:
    """One appliance's machine, from the first power-on to the end.

    ``on_console`` is called once for each QEMU process with its console's socket. ``listener`` is told of QEMU's
    events, of each PowerOn and Ended, and of an error that kept a reset from continuing; it is called from threads
    of the machine and must not wait for the machine. With ``nurse_network`` it needs to be told of ``init_runs``
    and ``listens``: see LateNetwork. With ``reboots`` a restored machine, too, is one that can boot.
    """

    def __init__(
        self,
        board: Board,
        overlay: Overlay,
        stage: Stage,
        *,
        run_dir: RunDir,
        accelerator: Accelerator,
        equipment: Equipment | None = None,
        on_console: ConsoleSink | None = None,
        listener: Listener | None = None,
        qemu: QemuProgram | None = None,
        ram: Path | None = None,
        nurse_network: bool = False,
        reboots: bool = False,
    ) -> None:
        self.board = board
        self._reboots = reboots
        self._network_nurse = LateNetwork(board, nursed=nurse_network, is_captured=ram is not None)
        self.overlay = overlay
        self.stage = stage
        self.accelerator = accelerator
        self.equipment = (equipment or Equipment()).on(board)
        self.qemu = qemu or find_qemu(board)
        self.power_ons: list[PowerOn] = []
        self.failure: HarnessError | None = None
        """What kept the machine from running: QEMU's own failure, or a boot partition with nothing to start."""
        self.rungs: list[Rung] = []
        """What it took each time the power was cut."""
        self.ports: dict[Port, int] = {}
        self._run_dir = run_dir
        self._on_console = on_console
        self._listener = listener
        self._machine: Machine | None = None
        self._echo = SeaBiosEcho() if board.boot is Boot.BIOS else None
        self._lock = threading.RLock()
        self._news = threading.Condition()
        self._off = True
        self._ram = ram
        """The file that is the memory of a machine that is switched on in order to be captured."""

    # -- what it is

    @property
    def machine(self) -> Machine:
        """The machine that runs now, or the last one; raises InternalError before the first."""
        if self._machine is None:
            raise InternalError("the machine was not switched on", where=self.board.name)
        return self._machine

    @property
    def is_on(self) -> bool:
        """Whether a QEMU runs or is about to run again after a reset."""
        return not self._off

    @property
    def in_many_threads(self) -> bool:
        """Whether QEMU translates what the machine runs, in a thread for each processor."""
        machine = self._machine
        return self.accelerator.name == "tcg" and machine is not None and machine.threads == "multi"

    def check(self) -> None:
        """Raise what kept the machine from running, if anything did: for whoever waits for the guest."""
        if self.failure is not None:
            raise self.failure
        if self._machine is not None:
            self._machine.check()

    # -- acting on it

    def on(self) -> None:
        """Switch it on; raises FirmwareFailure, and whatever Machine.start raises."""
        with self._lock:
            self._must_be_off()
            self._start("power-on")

    def off(self, *, power_off: float = 0.0) -> Rung:
        """Cut the power, after ``power_off`` seconds for the guest to do it itself; returns what it took."""
        with self._lock:
            rung = Rung.GONE if self._machine is None else self._machine.stop(power_off=power_off)
            self.rungs.append(rung)
            self._now_off()
            return rung

    def cycle(self, *, power_off: float = 0.0) -> None:
        """Cut the power and switch it on again: a cold boot in a new QEMU process."""
        with self._lock:
            self.off(power_off=power_off)
            self._start("power-cycle")

    def reset(self) -> None:
        """Press the reset button."""
        with self._lock:
            self.machine.reset()

    def init_runs(self) -> None:
        """The kernel is up: plug in the network card, if it had to wait for that. Does not wait."""
        self._network_nurse.init_runs(self._machine)

    def listens(self) -> None:
        """The guest has an address: let answers through at once from now on. Does not wait."""
        self._network_nurse.listens(self._machine)

    def halted(self, wants_restart: bool) -> None:
        """The kernel said that it has halted: pull the plug, and plug it in again if it wanted to restart.

        A Raspberry Pi restarts and powers off by its watchdog. A kernel to which that was taken, or that has no
        driver for it, can only halt. On other boards a halt is what was asked for. Does not wait.
        """
        if self.board.boot is Boot.RASPBERRY and self._machine is not None:
            arguments = (self._machine, wants_restart)
            threading.Thread(target=self._after_halt, args=arguments, name=HALTED, daemon=True).start()

    def capture(self, folder: Path, *, base: Path | None = None) -> Capture:
        """Freeze the machine as it is, and end it: it goes on in the machines that are restored from it.

        ``base`` is the image on which the capture's disk shall lie directly.
        """
        with self._lock:
            self._now_off()
            return save(self.machine, self.stage, folder, base=base)

    def restore(self, capture: Capture) -> None:
        """Go on from a capture, in a new QEMU process; the overlay must be one over the capture's disk."""
        with self._lock:
            self._must_be_off()
            self.failure = None
            loaded = self.stage.adopt(capture.loaded)
            machine = self._new_machine(loaded, {}, capture.ram, goes_on=True)
            load(machine, capture)
            if self.board.workarounds.nic_after_restore:
                self._network_nurse.hold(machine)
            self._began(machine, "restored", loaded)
            machine.resume()
            machine.plug_in()

    def checkpoint(self, folder: Path) -> Capture:
        """As ``capture``, of a machine that was not started for it: costlier to make, as cheap to return to.

        The memory is written out, and read into a file that is the memory of a machine which never runs.
        """
        with self._lock:
            self._now_off()
            written, between = folder / "written", folder / "between"
            for path in (written, between):
                path.mkdir(mode=0o700)
            first = save(self.machine, self.stage, written)
            self.overlay = first.overlay(between)
            machine = self._new_machine(
                self.stage.adopt(first.loaded), {}, Ram(folder / RAM, shared=True), silent=True
            )
            load(machine, first)
            try:
                capture = save(machine, self.stage, folder)
            finally:
                machine.stop()
            first.state.unlink()
            return capture

    def rewind(self, capture: Capture, folder: Path) -> None:
        """End the machine, whatever it does, and go on from a capture of it with a new overlay in ``folder``."""
        with self._lock:
            self.off()
            self.overlay = capture.overlay(folder)
            self.restore(capture)

    # -- waiting for it

    def wait_power_on(self, number: int, timeout: float) -> PowerOn | None:
        """Wait for the power-on of this number; None when it did not come within ``timeout`` seconds.

        Raises what kept the machine from running.
        """
        with self._news:
            self._news.wait_for(lambda: len(self.power_ons) >= number or self.failure is not None, timeout)
            if len(self.power_ons) >= number:
                return self.power_ons[number - 1]
        self.check()
        return None

    def wait_off(self, timeout: float) -> bool:
        """Wait until the guest has switched itself off for good; False when it still runs."""
        with self._news:
            return self._news.wait_for(lambda: self._off, timeout)

    # -- within

    def _must_be_off(self) -> None:
        if self._machine is not None and self._machine.ended is None:
            raise InternalError("the machine is on already", where=self.board.name)

    def _start(self, cause: str) -> None:
        self.failure = None
        loaded = self.stage.prepare(self.overlay)
        ram = None
        if self._ram is not None:
            # What a power-on begins with is empty.
            self._ram.unlink(missing_ok=True)
            ram = Ram(self._ram, shared=True)
        machine = self._new_machine(loaded, self.ports, ram)
        try:
            machine.start_paused()
        except PortTaken:
            # Another process took the port while no QEMU held it: any other does as well.
            machine = self._new_machine(loaded, {}, ram)
            machine.start_paused()
        self._network_nurse.hold(machine)
        self._began(machine, cause, loaded)
        machine.resume()

    def _new_machine(
        self,
        loaded: Loaded,
        prefer: Mapping[Port, int],
        ram: Ram | None,
        *,
        goes_on: bool = False,
        silent: bool = False,
    ) -> Machine:
        boots = self._reboots or not goes_on
        threads: Threads = "single" if self.board.workarounds.one_thread_at_boot and boots else "multi"
        machine = Machine(
            self.board,
            self.overlay,
            run_dir=self._run_dir,
            accelerator=self.accelerator,
            loaded=loaded,
            equipment=self.equipment,
            prefer=prefer,
            threads=threads,
            on_console=None if silent else self._on_console,
            listener=None if silent else lambda news: self._heard(machine, news),
            qemu=self.qemu,
            ram=ram,
            late_nic=self._network_nurse.card_waits,
        )
        return machine

    def _began(self, machine: Machine, cause: str, loaded: Loaded, *, new_process: bool = True) -> None:
        power_on = PowerOn(len(self.power_ons) + 1, cause, new_process, time.monotonic(), loaded)
        with self._news:
            self._machine = machine
            self.ports = machine.ports
            self._off = False
            self.power_ons.append(power_on)
            self._news.notify_all()
        self._tell(power_on)

    def _now_off(self) -> None:
        with self._news:
            self._off = True
            self._news.notify_all()

    def _heard(self, machine: Machine, news: Event | Ended) -> None:
        """Called in the machine's own thread: pass the news on, and continue after a reset."""
        self._tell(news)
        if isinstance(news, Event):
            echo = news.name == "RESET" and self._echo is not None and self._echo.is_echo(news)
            if news.name == "RESET" and not self.board.ends_at_reset and not echo:
                self._began(machine, str(news.data.get("reason", RESET)), machine.loaded, new_process=False)
            return
        with self._lock:
            if machine is not self._machine or self._off:
                return
            if news.failure is None and self.board.ends_at_reset and news.reason.endswith(RESET):
                self._continue(news.reason)
            else:
                self._failed(news.failure)

    def _after_halt(self, machine: Machine, wants_restart: bool) -> None:
        with self._lock:
            if machine is not self._machine or self._off:
                return
            try:
                machine.stop()
            except HarnessError as error:
                self._failed(error)
            else:
                self._continue(HALTED) if wants_restart else self._now_off()

    def _continue(self, cause: str) -> None:
        if self._run_dir.guard.closing:
            self._now_off()
            return
        try:
            self._start(cause)
        except HarnessError as error:
            self._failed(error)

    def _failed(self, failure: HarnessError | None) -> None:
        """It is off and stays off; ``failure`` is None when the guest did it on purpose."""
        with self._news:
            self.failure = failure
            self._off = True
            self._news.notify_all()
        if failure is not None:
            self._tell(failure)

    def _tell(self, news: News) -> None:
        if self._listener is not None:
            self._listener(news)
