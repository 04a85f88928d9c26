"""The console of one appliance, over all its power cycles."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from harness.console.check import Severity
from harness.console.crashes import Table
from harness.console.findings import ExpectedCrash, Finding
from harness.console.intake import Intake, Silence
from harness.console.lines import Line, plain
from harness.console.loops import LoopRule
from harness.console.match import Mark
from harness.console.phases import Boot, Cause, Phase
from harness.console.reader import Reader, Stream
from harness.console.waits import Waits
from harness.errors import DeviceUnreachable, HarnessError, InternalError


class Console(Waits):
    """Reads, records and understands the console; every wait on it ends at once when the appliance crashes.

    It is made once for an appliance and outlives the machine: each QEMU process is attached and detached.
    Waits raise WaitTimeout, or the crash as an error of its own (KernelPanic, InitFailure, ...).
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        name: str = "",
        allow: Sequence[str] = (),
        table: Table | None = None,
        loop: LoopRule | None = None,
        in_many_threads: Callable[[], bool] = lambda: False,
    ) -> None:
        """Record into ``folder``; ``name`` is the appliance in errors, ``allow`` names checks that may fit.

        ``in_many_threads`` says whether QEMU translates in a thread for each processor: then it may be to blame.
        """
        intake = Intake(folder, clock=clock, name=name, loop=loop, table=table, in_many_threads=in_many_threads)
        super().__init__(intake)
        self._intake.allow(allow)

    # --- machines come and go --------------------------------------------------------------------------------

    def attach(
        self,
        sock: Stream,
        *,
        reason: Cause | str = Cause.POWER_ON,
        boot: Boot | None = None,
        by_host: bool = False,
    ) -> None:
        """Take over a connected socket and drain it from now on.

        ``reason`` is power-on, reset (the harness starts QEMU again after the guest's reset) or restored, with
        the ``boot`` of the snapshot. Power-on and restored set the time to 0 and forget an earlier crash. A reset
        ``by_host`` was wanted here.
        """
        with self._changed:
            if self._reader is not None:
                raise InternalError("the console is attached already: detach it first", where=self.name)
            self._intake.machine_started(Cause(reason), boot, by_host=by_host)
            intake = self._intake
            self._reader = Reader(
                sock, on_data=intake.data, on_tick=intake.tick, on_end=intake.ended, on_failure=intake.failed
            )
            self._reader.start()

    def powered_on(self) -> None:
        """The machine, attached while it was paused, runs from this moment on: it is second 0.

        After a reset the time goes on as before.
        """
        with self._changed:
            self._intake.runs_now()

    def was_reset(self, *, by_host: bool = False) -> None:
        """The machine was reset without QEMU ending (QMP said so), if ``by_host`` since the harness wanted it."""
        with self._changed:
            self._intake.machine_started(Cause.RESET, None, by_host=by_host)

    def detach(self) -> None:
        """Read what is left and let go of the socket; does nothing when nothing is attached."""
        reader = self._reader
        if reader is None:
            return
        reader.stop()
        with self._changed:
            self._reader = None
            self._intake.notify()

    def close(self) -> None:
        """Detach and close the recording."""
        self.detach()
        with self._changed:
            self._intake.feed.close()
            self._intake.recording.close()

    def hears(self, *, kernel: bool, why: str) -> None:
        """Set whether the kernel reports its start here, and why init is not heard ("" when it is)."""
        with self._changed:
            self._intake.hears_kernel, self._intake.why_not_heard = kernel, why

    def serves(self) -> None:
        """What runs has answered, so it has come up: a loop of starts would begin anew."""
        with self._changed:
            self._intake.phases.serves()

    def when_halted(self, listener: Callable[[bool], None]) -> None:
        """Call this when a kernel says that it has halted, with whether it had wanted to restart.

        It is called in the reader's thread and must not wait for the machine.
        """
        self._intake.when_halted = listener

    def when_init_runs(self, listener: Callable[[], None]) -> None:
        """Call this once a boot, when the kernel has started init; as ``when_halted`` does."""
        self._intake.when_init_runs = listener

    def when_listening(self, listener: Callable[[], None]) -> None:
        """Call this once a boot, when the web interface listens where others reach it; as ``when_halted`` does."""
        self._intake.when_listening = listener

    def abort(self, error: HarnessError) -> None:
        """End every wait with this error (QEMU ended by itself, say), until the next power-on."""
        self._intake.abort(error)

    # --- what it said ------------------------------------------------------------------------------------

    @property
    def findings(self) -> list[Finding]:
        """All findings so far, information included."""
        with self._changed:
            return list(self._intake.crashes.findings)

    def unclean(self, *, since: Mark | None = None) -> list[Finding]:
        """Return the findings that a clean console does not have: neither allowed, expected nor information."""
        return [
            finding
            for finding in self.findings
            if finding.severity is not Severity.INFO
            and not (finding.allowed or finding.expected)
            and (since is None or finding.line.offset > since.offset)
        ]

    @property
    def boots(self) -> list[Boot]:
        """One for each kernel that started, over all power cycles."""
        with self._changed:
            return list(self._intake.phases.boots)

    @property
    def current(self) -> Boot | None:
        """The boot that runs now; None until its kernel speaks."""
        with self._changed:
            return self._intake.phases.current

    def lines(self, *, since: Mark | None = None) -> list[Line]:
        """Return the lines so far (the last 20000), marks of power cycles included."""
        with self._changed:
            return [line for line in self._intake.lines if since is None or line.offset > since.offset]

    def clock_of(self, line: Line) -> float:
        """What the console's clock said when this line came."""
        return self.recording.power_on_before(line.offset + line.mark) + line.at

    def power_on_of(self, boot: Boot) -> float:
        """What the console's clock said at second 0 of this boot."""
        with self._changed:
            return self._intake.power_ons.get(boot.number, self.recording.power_on_before(0))

    def since(self, mark: Mark) -> str:
        """Return what was said since the mark, without escape sequences."""
        return plain(self.recording.read(mark.offset))

    # --- crashes -------------------------------------------------------------------------------------------

    @property
    def crash(self) -> Finding | None:
        """The crash that ends every wait, None while all is well."""
        with self._changed:
            return self._intake.crash

    @contextlib.contextmanager
    def expect_crash(self, *, timeout: float = 30.0) -> Iterator[ExpectedCrash]:
        """Within this block a crash is wanted: it is no error, and at its end it is waited for."""
        intake = self._intake
        with self._changed:
            self.check()
            if intake.provoking:
                raise InternalError("expect_crash does not nest", where=self.name)
            intake.provoking, intake.provoked = True, None
            intake.crashes.count_anew()
        expected = ExpectedCrash()
        try:
            yield expected
            expected.finding = self._wait(
                lambda: intake.provoked if intake.provoked and intake.provoked.settled else None,
                timeout,
                "the crash that was provoked",
            )
        finally:
            with self._changed:
                intake.provoking = False
                intake.crashes.count_anew()

    @contextlib.contextmanager
    def allow(self, *names: str) -> Iterator[None]:
        """Within this block these checks may fit without harm; raises OptionError for a name that is none."""
        crashes = self._intake.crashes
        with self._changed:
            before = tuple(crashes.allowed)
            self._intake.allow((*before, *names))
        try:
            yield
        finally:
            with self._changed:
                self._intake.allow(before)

    @contextlib.contextmanager
    def watch_silence(self, limit: float, *, until: Phase | None = None) -> Iterator[None]:
        """Within this block, ``limit`` silent seconds before it serves, or before a phase, are an error."""
        intake = self._intake
        with self._changed:
            before, intake.silence = intake.silence, Silence(limit, until)
            intake.last_byte = self.recording.seconds()
            if self._reader is not None:
                self._reader.wake()
        try:
            yield
        finally:
            with self._changed:
                intake.silence = before

    def send(self, text: str | bytes, *, timeout: float = 10.0) -> None:
        """Type this on the console; raises DeviceUnreachable when no machine is attached."""
        reader = self._reader
        if reader is None or reader.ended.is_set():
            raise DeviceUnreachable("the appliance is off: nobody reads its console", where=self.name)
        reader.send(text.encode() if isinstance(text, str) else text, timeout=timeout)
