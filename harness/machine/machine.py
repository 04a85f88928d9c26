"""One QEMU process: from what a machine is to be, a disk and one launch to a running machine, and its end."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.boards import Board
from harness.errors import HarnessError, InternalError, QemuFailed, QmpSilent
from harness.lifetime.process import Exit, GuardedProcess, Inheritable
from harness.machine.command import QMP_FD, nic, qemu_command
from harness.machine.datagrams import Datagrams
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.ending import Ended, Rung
from harness.machine.execution_log import must_be_logged
from harness.machine.failure import accelerator_failure, death, disk_failure, launch_failure, out_of_memory_kills
from harness.machine.inbox import LAST_WORDS, Inbox
from harness.machine.launch import Launch
from harness.machine.ports import Port, chosen_ports
from harness.machine.processor_time import ProcessorTimes, Shortage
from harness.machine.qmp import COMMAND_LIMIT as ANSWER_LIMIT
from harness.machine.qmp import Event, Qmp
from harness.machine.registers import write_registers
from harness.machine.run_dir import RunDir
from harness.machine.spec import Spec
from harness.machine.wire import Wire

QUIT_LIMIT = 10.0
TERM_LIMIT = 5.0
KILL_LIMIT = 10.0
LOOK = 5.0
"""Seconds between two looks whether QEMU still answers, while somebody waits for the guest."""

ConsoleSink = Callable[[socket.socket], None]


class Machine:
    """A QEMU process under the guard, from ``start`` to its end; it is started once.

    - ``ports``, once it is started: each forwarded port of the guest and the port of 127.0.0.1 that leads to it.
      QEMU chooses those that ``launch`` does not prefer.
    - A network card that ``launch`` leaves out waits for ``plug_in``, where the board has a bus for that.
    - ``on_console`` gets the connected socket of the first serial port before the machine runs, and owns it.
    - ``listener`` is called for every event, and with the Ended at last, from a thread of this machine. It may use
      the machine, and should not take long.
    """

    def __init__(
        self,
        spec: Spec,
        overlay: DiskOverlay,
        run_dir: RunDir,
        launch: Launch | None = None,
        *,
        on_console: ConsoleSink | None = None,
        listener: Callable[[Event | Ended], None] | None = None,
    ) -> None:
        self.spec = spec
        self.overlay = overlay
        launch = launch or Launch()
        # Where QEMU cannot save the card, no machine has it yet of which a snapshot is taken, or that is restored.
        hotplugs = spec.board.workarounds.nic_after_restore is not None
        self._late_nic = hotplugs and not (launch.nic and launch.ram is None)
        self.launch = replace(
            launch,
            nic=not self._late_nic,
            disks=(overlay.path, *(disk.path for disk in overlay.beside)),
            console=on_console is not None,
        )
        self._plug = threading.Lock()
        self.ports: dict[Port, int] = {}
        self.events: list[Event] = []
        """Everything QEMU reported, in order."""
        self.failure: HarnessError | None = None
        """What went wrong with QEMU itself, as soon as it is known; see ``check``."""
        self._run_dir = run_dir
        self._on_console = on_console
        self._listener = listener
        self._inbox = Inbox()
        self._process: GuardedProcess | None = None
        self._qmp: Qmp | None = None
        self._registers: socket.socket | None = None
        self._datagrams: Datagrams | None = None
        self._ended = threading.Event()
        self._news = threading.Condition()
        self._end: Ended | None = None
        self._asked_to_stop = False
        self._paused = False
        self._killed_before = out_of_memory_kills()
        self._looked = time.monotonic()
        self._processors: ProcessorTimes | None = None

    @property
    def board(self) -> Board:
        """The board that it plays."""
        return self.spec.board

    # -- starting

    def start(self) -> None:
        """Start QEMU, learn its ports, hand the console over, let the machine go.

        Raises QemuFailed, HostMemoryShort, HostDiskFull, ImageLocked, PortTaken.
        """
        self.start_paused()
        self.resume()

    def start_paused(self, *, incoming: bool = False) -> None:
        """Start QEMU, paused before the first instruction; with ``incoming``, before a state is loaded."""
        if self._process is not None:
            raise InternalError("a machine is started once", where=self.board.name)
        self.overlay.attach(self.board.name)
        try:
            self._start(incoming=incoming)
        except BaseException:
            self._abandon()
            raise

    def _start(self, *, incoming: bool) -> None:
        equipment = self.spec.equipment
        launch = replace(self.launch, incoming=incoming)
        with contextlib.ExitStack() as undo:
            wire = None
            if self._on_console is not None:
                wire = Wire()
                undo.callback(wire.close)
            registers = None
            if incoming and self.board.workarounds.registers_at_restore:
                if wire is None:
                    raise InternalError(
                        "a machine whose registers are written has a console", where=self.board.name
                    )
                self._registers, registers = socket.socketpair()
                undo.callback(self._registers.close)
            inherited = [*(wire.for_qemu if wire else ()), *([registers] if registers else ())]
            if equipment.by_harness:
                self._datagrams = Datagrams(equipment.by_harness, launch.prefer)
                launch = replace(launch, datagrams=QMP_FD + 1 + len(inherited))
                inherited += self._datagrams.for_qemu
            self._connect(qemu_command(self.spec, launch), inherited)
            if equipment.by_qemu:
                self.ports = chosen_ports(self.hmp("info usernet"), equipment.by_qemu)
            if self._datagrams is not None:
                self.ports |= self._datagrams.ports
                self._datagrams.start()
            undo.pop_all()
        if wire is not None and self._on_console is not None:
            wire.start()
            self._on_console(wire.ours)

    def _connect(self, argv: list[str], inherited: Sequence[Inheritable]) -> None:
        """Start QEMU and greet it."""
        qmp_here, qmp_there = socket.socketpair()
        self._process = self._run_dir.guard.spawn(argv, [qmp_there, *inherited])
        self._processors = ProcessorTimes(self._process.pid)
        self._qmp = Qmp(
            self._run_dir.loop,
            qmp_here,
            name=self.board.name,
            on_event=self._inbox.put,
            on_end=self._inbox.hung_up,
        )
        try:
            self._qmp.connect()
        except QemuFailed as error:
            exit_ = self._process.wait(LAST_WORDS)
            if exit_ is None:
                raise
            own = self.spec.equipment.qemu_args
            raise launch_failure(
                self.board.name, self._process.argv, exit_, accelerator=self.spec.accelerator.name, own=own
            ) from error
        self._process.on_exit(self._inbox.put)
        threading.Thread(target=self._watch, name=f"machine-{self.board.name}", daemon=True).start()

    def _abandon(self) -> None:
        """End a QEMU that was half started."""
        if self._process is not None and self._process.exit is None:
            self._asked_to_stop = True
            self._process.signal(signal.SIGKILL)
            self._process.wait(KILL_LIMIT)
        if self._qmp is not None:
            self._qmp.close()
        if self._process is not None and self._process.exit is not None:
            self._end = Ended(self._process.exit, "", None, time.monotonic())
            self._ended.set()
        self._release()

    def _release(self) -> None:
        """Let go of what only a QEMU that runs needs."""
        if self._datagrams is not None:
            self._datagrams.close()
        self.overlay.detach()

    # -- what it is

    @property
    def pid(self) -> int:
        """The process number of QEMU."""
        return self._running().pid

    @property
    def argv(self) -> tuple[str, ...]:
        """QEMU's command line, for the report."""
        return self._running().argv

    @property
    def ended(self) -> Ended | None:
        """How it ended, None while it runs."""
        return self._end

    def stderr(self) -> str:
        """What QEMU printed so far."""
        return self._running().stderr

    def check(self) -> None:
        """Raise what went wrong with QEMU itself, if anything did: to be called by whoever waits for the guest.

        A guest that says nothing may stand in a QEMU that does nothing, so that is asked; raises QmpSilent.
        """
        if self.failure is not None:
            raise self.failure
        if self._end is None and self._qmp is not None and time.monotonic() - self._looked > LOOK:
            try:
                self.execute("query-status", timeout=ANSWER_LIMIT)
            except QmpSilent as error:
                self.failure = error
                raise
            except QemuFailed:
                # It has ended, and its end says how.
                pass
            self._looked = time.monotonic()
            if self._processors is not None:
                self._processors.look()

    def go_on_from(self, earlier: Machine) -> None:
        """Be the machine that follows this one: of the same guest, after a reset or a power cut."""
        if self._processors is not None and earlier._processors is not None:
            self._processors.go_on_from(earlier._processors)

    def shortage(self) -> Shortage | None:
        """What this host gave QEMU of its processors of late; None where nobody counts that."""
        return self._processors.shortage() if self._processors is not None else None

    # -- acting on it

    def execute(self, name: str, arguments: Mapping[str, object] | None = None, **options: Any) -> Any:
        """Run a QMP command (options: see ``Qmp.execute``); raises QmpRefused, QemuFailed."""
        self._running()
        if self.launch.log is not None:
            must_be_logged(name)
        if self._qmp is None:
            raise InternalError("the machine has no QMP connection", where=self.board.name)
        return self._qmp.execute(name, arguments, **options)

    def hmp(self, line: str, **limits: float) -> str:
        """Run a command of QEMU's human monitor (``timeout=`` in seconds)."""
        return str(self.execute("human-monitor-command", {"command-line": line}, **limits))

    def pause(self) -> None:
        """Stop the machine's processors."""
        self._paused = True
        self.execute("stop")

    def resume(self) -> None:
        """Let the machine's processors go."""
        self._paused = False
        self.execute("cont")

    def write_registers(self) -> None:
        """Set the registers that a saved state lacks, before it is loaded; raises QemuFailed."""
        needed = self.board.workarounds.registers_at_restore
        if needed is not None and self._registers is not None:
            with self._registers as channel:
                write_registers(channel, needed.writes, where=self.board.name)

    def wait_for_address(self, timeout: float) -> bool:
        """Wait until the guest has an address, where the harness forwards UDP to it; False when it has none."""
        return self._datagrams is None or self._datagrams.wait_until_there(timeout)

    def plug_in(self) -> None:
        """Plug in the network card, unless it is already: as a person does with a cable."""
        with self._plug:
            if self._late_nic:
                self.execute("device_add", {**nic(self.board), "bus": self.board.nic_bus})
                self._late_nic = False

    def reset(self) -> None:
        """Press the reset button; with a board that the harness boots, QEMU leaves (see ``power.Power``)."""
        self.execute("system_reset")

    def power_button(self) -> None:
        """Press the power button: it is up to the guest what it does."""
        self.execute("system_powerdown")

    def wait_exit(self, timeout: float) -> Ended | None:
        """Wait for the end of QEMU at most ``timeout`` seconds; None when it still runs."""
        self._ended.wait(timeout)
        return self._end

    def wait_event(self, wanted: Callable[[Event], bool], timeout: float, *, since: int = 0) -> Event | None:
        """Wait for an event of ``events[since:]``; None when the machine ended or ``timeout`` seconds passed."""
        with self._news:
            found: list[Event] = []

            def there() -> bool:
                found.extend(event for event in self.events[since:] if wanted(event))
                return bool(found) or self._end is not None

            self._news.wait_for(there, timeout)
            return found[0] if found else None

    def stop(self, *, power_off: float = 0.0) -> Rung:
        """End it, gently first, and return what it took; ``power_off`` seconds are left to the guest's own way."""
        process = self._running()
        if self._end is not None:
            return Rung.GONE
        if power_off > 0:
            with contextlib.suppress(QemuFailed):
                self.power_button()
            if self.wait_exit(power_off) is not None:
                return Rung.POWER_OFF
        self._asked_to_stop = True
        try:
            # A QEMU that does not answer must not cost more than its rung.
            self.execute("quit", timeout=QUIT_LIMIT / 2)
            if self.wait_exit(QUIT_LIMIT) is not None:
                return Rung.QUIT
        except QmpSilent:
            pass
        except QemuFailed:
            # It hung up: on its way out by itself, as after a reset that it leaves at.
            if self.wait_exit(LAST_WORDS) is not None:
                return Rung.GONE
        if process.exit is None:
            process.signal(signal.SIGTERM)
        if self.wait_exit(TERM_LIMIT) is not None:
            return Rung.TERM
        process.signal(signal.SIGKILL)
        if self.wait_exit(KILL_LIMIT) is None:
            raise QemuFailed(f"QEMU (process {process.pid}) did not end after SIGKILL", where=self.board.name)
        return Rung.KILL

    def _running(self) -> GuardedProcess:
        if self._process is None:
            raise InternalError("the machine was not started", where=self.board.name)
        return self._process

    # -- watching it

    def _watch(self) -> None:
        """Keep the events, notice QEMU's own failures, and conclude when it ended: the machine's own thread."""
        for item in self._inbox.until_exit():
            if isinstance(item, Exit):
                self._conclude(item)
                return
            self._notice(item)
            with self._news:
                self.events.append(item)
                self._news.notify_all()
            if self._listener is not None:
                self._listener(item)

    def _notice(self, event: Event) -> None:
        if event.name == "BLOCK_IO_ERROR" and event.data.get("action") == "stop":
            self.failure = disk_failure(str(self.overlay.path), event.data)
        elif event.name == "STOP" and not self._paused:
            with contextlib.suppress(QemuFailed):
                if self.execute("query-status")["status"] == "internal-error":
                    self.failure = accelerator_failure(self.board.name, self.spec.accelerator.name, self.stderr())

    def _conclude(self, exit_: Exit) -> None:
        shutdown = next((event for event in reversed(self.events) if event.name == "SHUTDOWN"), None)
        reason = str(shutdown.data.get("reason", "")) if shutdown else ""
        meant = self._asked_to_stop or self._run_dir.guard.closing
        by_itself = exit_.signal or exit_.code or reason in ("", "host-signal", "host-error")
        if not meant and self.failure is None and by_itself:
            self.failure = death(
                self.board.name,
                exit_,
                accelerator=self.spec.accelerator.name,
                out_of_memory=out_of_memory_kills() > self._killed_before,
            )
        if self._qmp is not None:
            self._qmp.close()
        self._release()
        self._end = Ended(exit_, reason, self.failure, time.monotonic())
        self._ended.set()
        with self._news:
            self._news.notify_all()
        if self._listener is not None:
            self._listener(self._end)
