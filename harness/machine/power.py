"""The power supply and the reset line of one appliance, over as many QEMU processes as it takes.

Where the harness plays the boot loader, QEMU ends at a reset. This layer then reads the boot partition again and
starts a new QEMU, in a thread of its own: a reboot needs nobody who waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.boards import Board, Boot
from harness.errors import HarnessError, InternalError, PortTaken
from harness.firmware.stage import Loaded, Stage
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.ending import Ended, Rung
from harness.machine.execution_log import Recorder, beginning
from harness.machine.joins import Joins
from harness.machine.late_network import LateNetwork
from harness.machine.launch import Launch, Ram
from harness.machine.machine import ConsoleSink, Machine
from harness.machine.moment import Disks, Moment, disk_at_start, keep_moment
from harness.machine.ports import Port
from harness.machine.processor_time import Shortage
from harness.machine.qmp import Event
from harness.machine.run_dir import RunDir
from harness.machine.seabios_echo import SeaBiosEcho
from harness.machine.snapshot import RAM, Snapshot, restore, take
from harness.machine.spec import Spec

RESET = "reset"
HALTED = "halted"


@dataclass(frozen=True)
class PowerOn:
    """The firmware began anew, or a machine was restored from a snapshot.

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

    @property
    def switched_on(self) -> bool:
        """Whether its power came on, so that it is neither a reset nor a restore."""
        return self.cause in ("power-on", "power-cycle")

    @property
    def restored(self) -> bool:
        """Whether it continues from a snapshot."""
        return self.cause == "restored"


PowerEvent = Event | Ended | PowerOn | HarnessError
Listener = Callable[[PowerEvent], None]


class Power:
    """One appliance's machine, from the first power-on to the end.

    ``on_console`` is called once for each QEMU process with its console's socket. ``listener`` gets QEMU's
    events, each PowerOn and Ended, and an error that kept a reset from continuing; it is called from threads of
    the machine and must not wait for the machine. With ``nurse_network`` in the spec, whoever reads the console
    calls ``init_runs`` and ``listens``: see LateNetwork.
    """

    def __init__(
        self,
        spec: Spec,
        overlay: DiskOverlay,
        stage: Stage,
        run_dir: RunDir,
        *,
        on_console: ConsoleSink | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.spec = spec
        self._network_nurse = LateNetwork(spec)
        self.overlay = overlay
        self.start: DiskOverlay | None = overlay
        """The disk as it was when it was last switched on or restored, None where there was no room for a copy."""
        self.stage = stage
        self.power_ons: list[PowerOn] = []
        self.failure: HarnessError | None = None
        """What kept the machine from running: QEMU's own failure, or a boot partition with nothing to start."""
        self._raised: HarnessError | None = None
        self.rungs: list[Rung] = []
        """What it took each time the power was cut."""
        self.ports: dict[Port, int] = {}
        self._start_folder = overlay.path.parent / "start"
        self.recorder = Recorder(spec.record_in) if spec.record_in is not None else None
        self.joins = Joins(is_recorded=self.recorder is not None)
        """What hangs on its network beside the machine."""
        self._run_dir = run_dir
        self._on_console = on_console
        self._listener = listener
        self._machine: Machine | None = None
        self._echo = SeaBiosEcho() if spec.board.boot is Boot.BIOS else None
        self._lock = threading.RLock()
        self._news = threading.Condition()
        self._off = True

    # -- what it is

    @property
    def board(self) -> Board:
        """The board that it plays."""
        return self.spec.board

    @property
    def accelerator(self) -> str:
        """What executes the guest's code: kvm or tcg."""
        return self.spec.accelerator.name

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
        """Whether QEMU translates the guest's code (TCG), with a thread for each processor."""
        machine = self._machine
        return self.spec.accelerator.name == "tcg" and machine is not None and machine.launch.threads == "multi"

    def check(self) -> None:
        """Raise what kept the machine from running, if anything did: for whoever waits for the guest."""
        try:
            if self.failure is not None:
                raise self.failure
            if self._machine is not None:
                self._machine.check()
        except HarnessError as error:
            self._raised = error
            raise

    def check_unseen(self) -> None:
        """Raise what kept the machine from running, unless ``check`` has raised it before."""
        failure = self.failure or (self._machine.failure if self._machine is not None else None)
        if failure is not None and failure is not self._raised:
            raise failure

    def shortage(self) -> Shortage | None:
        """What this host gave QEMU of its processors of late; None before the first machine."""
        return self._machine.shortage() if self._machine is not None else None

    # -- acting on it

    def on(self) -> None:
        """Switch it on; raises FirmwareFailure, and whatever Machine.start raises."""
        with self._lock:
            self._must_be_off()
            self._keep_start()
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
            self._keep_start()
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

    def snapshot(self, folder: Path, *, base: Path | None = None) -> Snapshot:
        """Take a snapshot of the machine, and end it.

        With ``base`` the disk of the snapshot lies directly on that image, without the layers between.
        """
        with self._lock:
            self._now_off()
            return take(self.machine, self.stage, folder, base=base)

    def restore(self, snapshot: Snapshot) -> None:
        """Restore a snapshot in a new QEMU process, and run; the overlay must be one over the snapshot's disk."""
        with self._lock:
            self._must_be_off()
            self.failure, self.start = None, snapshot.own_disk
            loaded = self.stage.adopt(snapshot.loaded)
            launch = Launch(loaded=loaded, threads=self.spec.threads(restored=True), ram=snapshot.ram)
            machine = self._on_same_ports(launch, lambda machine: restore(machine, snapshot))
            if self.board.workarounds.nic_after_restore:
                self._network_nurse.hold(machine)
            self.joins.attach(machine)
            self._began(machine, "restored", loaded)
            machine.resume()
            machine.plug_in()

    def checkpoint(self, folder: Path) -> Snapshot:
        """Take a snapshot of a machine that was not started for one, and end it; slower than ``snapshot``.

        Its memory is written out, then loaded into a second machine, whose memory is a file and which never runs.
        To restore from the result is as fast as from any snapshot.
        """
        with self._lock:
            self._now_off()
            written, between = folder / "written", folder / "between"
            for path in (written, between):
                path.mkdir(mode=0o700)
            with self.joins.out_of_state():
                first = take(self.machine, self.stage, written)
            self.overlay = first.overlay(between)
            loaded, threads = self.stage.adopt(first.loaded), self.spec.threads(restored=False)
            machine = self._new_machine(
                Launch(loaded=loaded, threads=threads, ram=Ram(folder / RAM, shared=True)), silent=True
            )
            restore(machine, first)
            try:
                snapshot = take(machine, self.stage, folder)
            finally:
                machine.stop()
            first.state.unlink()
            return snapshot

    def keep(self, folder: Path, *, base: Path) -> Moment:
        """Copy what the machine is at this moment into ``folder``, and let it go on: see ``keep_moment``."""
        with self._lock:
            disks = Disks(self.overlay, self.start, self.spec.equipment, base)
            with self.joins.out_of_state():
                return keep_moment(self._machine if self.is_on else None, disks, self.stage, folder)

    def rewind(self, snapshot: Snapshot, folder: Path) -> None:
        """End the machine, whatever it does, and restore a snapshot of it, with a new overlay in ``folder``."""
        with self._lock:
            self.off()
            self.overlay = snapshot.overlay(folder)
            self.restore(snapshot)

    # -- waiting for it

    def wait_off(self, timeout: float) -> bool:
        """Wait until the guest has switched itself off for good; False when it still runs."""
        with self._news:
            return self._news.wait_for(lambda: self._off, timeout)

    # -- within

    def _must_be_off(self) -> None:
        if self._machine is not None and self._machine.ended is None:
            raise InternalError("the machine is on already", where=self.board.name)

    def _keep_start(self) -> None:
        self.start = disk_at_start(self.overlay, self._start_folder)

    def _start(self, cause: str) -> None:
        self.failure = None
        loaded = self.stage.prepare(self.overlay)
        ram = None
        if self.spec.memory_file is not None:
            # After a power-on the memory is empty: whatever the last one left in the file goes.
            self.spec.memory_file.unlink(missing_ok=True)
            ram = Ram(self.spec.memory_file, shared=True)
        with beginning(self.recorder, self.overlay, loaded) as log:
            launch = Launch(loaded=loaded, threads=self.spec.threads(restored=False), ram=ram, log=log)
            machine = self._on_same_ports(launch, lambda machine: machine.start_paused())
        self._network_nurse.hold(machine)
        self.joins.attach(machine)
        self._began(machine, cause, loaded)
        machine.resume()

    def _on_same_ports(self, launch: Launch, start: Callable[[Machine], None]) -> Machine:
        """A machine that was started, on the ports that led to the one before."""
        machine = self._new_machine(replace(launch, prefer=self.ports))
        try:
            start(machine)
        except PortTaken:
            # Another process took the port while no QEMU held it: any other does as well.
            machine = self._new_machine(launch)
            start(machine)
        return machine

    def _new_machine(self, launch: Launch, *, silent: bool = False) -> Machine:
        machine = Machine(
            self.spec,
            self.overlay,
            self._run_dir,
            replace(launch, nic=not self._network_nurse.card_waits),
            on_console=None if silent else self._on_console,
            listener=None if silent else lambda news: self._heard(machine, news),
        )
        return machine

    def _began(self, machine: Machine, cause: str, loaded: Loaded, *, new_process: bool = True) -> None:
        power_on = PowerOn(len(self.power_ons) + 1, cause, new_process, time.monotonic(), loaded)
        if self._machine is not None and self._machine is not machine:
            machine.go_on_from(self._machine)
        with self._news:
            self._machine = machine
            self.ports = machine.ports
            self._off = False
            self.power_ons.append(power_on)
            self._news.notify_all()
        self._report(power_on)

    def _now_off(self) -> None:
        with self._news:
            self._off = True
            self._news.notify_all()

    def _heard(self, machine: Machine, news: Event | Ended) -> None:
        """Called in the machine's own thread: pass the news on, and continue after a reset."""
        self._report(news)
        ends_at_reset = self.board.ends_at_reset or self.recorder is not None
        if isinstance(news, Event):
            echo = news.name == "RESET" and self._echo is not None and self._echo.is_echo(news)
            if news.name == "RESET" and not ends_at_reset and not echo:
                self._began(machine, str(news.data.get("reason", RESET)), machine.launch.loaded, new_process=False)
            return
        with self._lock:
            if machine is not self._machine or self._off:
                return
            if news.failure is None and ends_at_reset and news.reason.endswith(RESET):
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
            self._report(failure)

    def _report(self, news: PowerEvent) -> None:
        if self._listener is not None:
            self._listener(news)
