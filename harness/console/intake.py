"""What happens to each byte of the console: recorded, judged, and passed on to whoever waits.

Everything here runs under one lock, ``changed``: it also wakes the waits when something is new. The
reader's thread calls ``data``, ``tick`` and ``ended``; none of them ever waits for anything but the disk.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from sys import getsizeof

from harness.console.check import PANIC_WINDOW, Severity
from harness.console.crashes import OPEN_ENDED, TO_DO, Table
from harness.console.feed import Feed
from harness.console.findings import CrashWatcher, Finding
from harness.console.lines import Line, LineSplitter
from harness.console.loops import LoopRule, reboot_loop
from harness.console.phases import Boot, Cause, Phase, PhaseWatcher, says_halted
from harness.console.recording import Recording
from harness.errors import ConsoleSilence, HarnessError, HostFault, InternalError, RebootLoop

_KEPT_LINES = 20_000
"""Lines kept in memory; the recording has all of them."""
_KEPT_BYTES = 20_000_000
"""The same in bytes: there are fewer lines if they are long."""


@dataclass(frozen=True)
class Silence:
    """For how many seconds a console may be silent while the appliance does not serve."""

    limit: float
    until: Phase | None = None
    """The phase after which others watch the start, and say better what is wrong."""


class Intake:
    """The state of a console; its owner reads it with ``changed`` held."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float],
        name: str,
        loop: LoopRule | None,
        table: Table | None,
        in_many_threads: Callable[[], bool],
    ) -> None:
        self.name = name
        self.changed = threading.Condition(threading.RLock())
        self.recording = Recording(folder, clock=clock)
        self.feed = Feed(self.recording)
        self.splitter = LineSplitter()
        self.crashes = CrashWatcher(table, in_many_threads=in_many_threads)
        self.phases = PhaseWatcher()
        self.lines: deque[Line] = deque()
        self._kept = 0
        self.seen = 0
        """Lines so far, those that were dropped from memory included."""
        self.last_byte = 0.0
        """Seconds from power-on."""
        self.aborted: HarnessError | None = None
        self.provoking = False
        """Whether a test wants a crash now."""
        self.provoked: Finding | None = None
        self.silence: Silence | None = None
        """What silence is an error while the appliance does not serve; None: nobody watches."""
        self.when_halted: Callable[[bool], None] = lambda _: None
        """Called when the kernel has halted, with whether it had wanted to restart."""
        self.when_init_runs: Callable[[], None] = lambda: None
        """Called once a boot, when init has been started."""
        self._in_init = 0
        self.power_ons: dict[int, float] = {}
        """What the clock said at second 0 of each boot, by the boot's number."""
        self.when_listening: Callable[[], None] = lambda: None
        """Called once a boot, when the web interface listens on an address that others reach."""
        self._listening = 0
        self.hears_kernel = True
        """Whether the kernel reports its start on this console."""
        self.why_not_heard = ""
        """Why init is not heard, "" when it is."""
        self._loop = loop or LoopRule()
        self._power_ons = 0
        self._reported_starts = 0
        self._cause = Cause.POWER_ON
        self._by_host = False
        """Whether the harness wanted the next start."""
        self._life = 0

    # --- what the reader calls -------------------------------------------------------------------------------

    def data(self, data: bytes) -> None:
        """Take in a chunk."""
        with self.changed:
            offset = self.recording.size
            try:
                at = self.recording.append(data)
            except (HarnessError, OSError) as error:
                # Go on draining, so that the guest does not hang; every wait ends with the reason.
                self.abort(error if isinstance(error, HarnessError) else HostFault(f"cannot record: {error}"))
                return
            self.last_byte = at
            self._see(self.splitter.feed(data, offset=offset, at=at))
            self.changed.notify_all()
        self.feed.pump()

    def tick(self) -> float | None:
        """Do what time demands; returns the seconds until it must be called again, None for never."""
        with self.changed:
            now = self.recording.seconds()
            known = len(self.crashes.findings)
            due = self.crashes.due()
            if due is not None and now >= due:
                self.crashes.tick(now)
                self.notify()
            silent = self._look_for_silence(now)
            self._claim_provoked(known)
            waits = [when - now for when in (self.crashes.due(), silent) if when is not None]
            return max(0.0, min(waits)) if waits else None

    def ended(self) -> None:
        """The stream is over: nothing more will complete a line, or the evidence of a crash."""
        with self.changed:
            now = self.recording.seconds()
            self._see(self.splitter.close(offset=self.recording.size, at=now))
            self.crashes.tick(now, settle=True)
            self.notify()
        self.feed.pump()

    def failed(self, error: Exception) -> None:
        """The reader stumbled over a mistake of ours: say so instead of letting every wait run out."""
        self.abort(InternalError(f"the console reader failed: {error!r}", where=self.name))

    # --- what the owner calls --------------------------------------------------------------------------------

    def machine_started(self, cause: Cause, boot: Boot | None, *, by_host: bool = False) -> None:
        """A machine begins: by power-on, by a reset, or restored in the middle of ``boot``.

        ``by_host`` says whether the harness reset it.
        """
        self._by_host = by_host and cause is Cause.RESET
        if cause is Cause.RESET:
            self.last_byte = self.note("reset", zero=False)
        else:
            self._power_ons += 1
            self.crashes.count_anew()
            self._life = len(self.crashes.findings)
            self.aborted = None
            self.feed.skip()
            self.last_byte = self.note(f"{cause.value} {self._power_ons}", zero=True)
        self._cause = cause
        self.crashes.forget_suspicions()
        if cause is Cause.RESTORED and boot is not None:
            self._keep_power_on(self.phases.adopt(boot, self.last_byte))
        else:
            self.phases.machine_started(cause, self.last_byte)
            self._look_for_false_starts(self.lines[-1])
        self.notify()

    def runs_now(self) -> None:
        """The machine was held until now: it is second 0 of a power-on and of a restored machine."""
        self.last_byte = self.note("running", zero=self._cause is not Cause.RESET)
        self.phases.runs_now(self.last_byte)
        self.notify()

    @property
    def no_boot(self) -> str:
        """What it means that no boot is known."""
        if self.hears_kernel:
            return "no kernel has started"
        return f"of a kernel nothing is heard here ({self.why_not_heard or 'its command line says quiet'})"

    def note(self, text: str, *, zero: bool) -> float:
        """Put a mark into recording and lines; ``zero`` makes it the new power-on. Returns its seconds."""
        at = self.recording.mark(text, zero=zero)
        self._keep(Line(at, self.recording.size, text, mark=True))
        return at

    def notify(self) -> None:
        """Make everybody who waits look up."""
        self.changed.notify_all()
        self.feed.wake()

    def abort(self, error: HarnessError) -> None:
        """End every wait with this error, until the next power-on."""
        with self.changed:
            self.aborted = self.aborted or error
            self.notify()

    def allow(self, names: Sequence[str]) -> None:
        """Let exactly these checks fit without harm; raises OptionError for a name that is none."""
        self.crashes.table.must_know(names)
        self.crashes.allowed = frozenset(names)

    @property
    def _of_life(self) -> list[Finding]:
        return self.crashes.findings[self._life :]

    @property
    def crash(self) -> Finding | None:
        """The first fatal finding since power-on that nobody wanted."""
        return next((finding for finding in self._of_life if finding.fatal), None)

    def check(self) -> None:
        """Raise if the appliance has crashed, as soon as its last words are complete."""
        with self.changed:
            if self.aborted is not None:
                raise self.aborted
            finding = self.crash
            if finding is None:
                return
            raise self._complete(finding)

    def check_unseen(self) -> None:
        """Raise the first crash since power-on that no wait has ended with."""
        with self.changed:
            for finding in self._of_life:
                if finding.fatal and not finding.raised:
                    raise self._complete(finding)

    def _complete(self, finding: Finding) -> HarnessError:
        """The error for a crash, once its last words are there: whoever waits knows it now."""
        self.changed.wait_for(lambda: finding.settled, PANIC_WINDOW + 1)
        finding.raised = True
        return finding.error(where=self.name)

    # --- inside ------------------------------------------------------------------------------------------------

    def _see(self, lines: Sequence[Line]) -> None:
        phases, crashes = self.phases, self.crashes
        known = len(crashes.findings)
        for line in lines:
            self._keep(line)
            begun = phases.see(line)
            if begun is not None:
                self._keep_power_on(begun)
                crashes.forget_suspicions()
            boot = phases.current
            bare = boot is not None and boot.bare
            firmware = phases.is_firmware(boot)
            timed = boot is not None and boot.timed and not (firmware or boot.ends)
            crashes.see(line, boot=len(phases.boots), firmware=firmware, bare=bare, timed=timed)
            if begun is not None:
                self._look_for_restart(begun, line)
                self._look_for_loop(begun, line)
            if phases.false_starts != self._reported_starts:
                self._look_for_false_starts(line)
            if boot is not None:
                if boot.number > self._in_init and boot.in_init:
                    self._in_init = boot.number
                    self.when_init_runs()
                if boot.number > self._listening and boot.ready:
                    self._listening = boot.number
                    self.when_listening()
            if says_halted(line, bare=bare):
                self.when_halted("Reboot failed" in line.text)
        self._claim_provoked(known)

    def _keep(self, line: Line) -> None:
        self.lines.append(line)
        self.seen += 1
        self._kept += getsizeof(line.text)
        while len(self.lines) > _KEPT_LINES or self._kept > _KEPT_BYTES:
            self._kept -= getsizeof(self.lines.popleft().text)

    def _keep_power_on(self, begun: Boot) -> None:
        self.power_ons[begun.number] = self.recording.power_on_before(self.recording.size + 1)

    def _claim_provoked(self, known: int) -> None:
        """Mark the fatal findings after the first ``known`` ones as expected while a test provokes a crash."""
        if not self.provoking:
            return
        for finding in self.crashes.findings[known:]:
            if finding.fatal:
                finding.expected = True
                self.provoked = self.provoked or finding

    def _look_for_restart(self, begun: Boot, line: Line) -> None:
        """A kernel that starts although the one before neither ended nor died in words."""
        by_host, self._by_host = self._by_host, False
        before = self.phases.boots[-2] if len(self.phases.boots) > 1 else None
        if before is None or begun.cause is not Cause.RESET or not before.in_init or before.is_over:
            return
        if by_host or self.provoking or any(one.boot == before.number and one.fatal for one in self._of_life):
            return
        if self._goes_on("unasked-restart"):
            return
        what = f"the appliance started again {line.at:.1f} s after power-on, and nothing had asked for it"
        self._add("unasked-restart", what, RebootLoop, line, begun.number, Severity.NOTED)

    def _look_for_loop(self, begun: Boot, line: Line) -> None:
        chain = reboot_loop(self.phases.boots, self._loop)
        if not chain or self._goes_on("reboot-loop"):
            return
        crashes = (
            finding.what
            for finding in reversed(self._of_life)
            if finding.severity is Severity.FATAL and finding.name not in OPEN_ENDED and not finding.expected
        )
        wanted = all(Phase.RESTART in one.at for one in chain[:-1])
        silent = "none was printed (a watchdog, or a fault that stops the processor)"
        asks = "a program had the kernel restart, without asking init"
        if self.why_not_heard:
            asks = f"the kernel was asked to restart; by whom is not heard: {self.why_not_heard}"
        cause = next(crashes, asks if wanted else silent)
        seconds = chain[-1].started - chain[0].started
        what = f"it started {len(chain)} times within {seconds:.0f} s and never came to serve; last cause: {cause}"
        self._add("reboot-loop", what, RebootLoop, line, begun.number)

    def _look_for_false_starts(self, line: Line) -> None:
        """A machine that resets before its kernel speaks: a boot sector or a kernel that faults at once."""
        starts = self.phases.false_starts
        before, self._reported_starts = self._reported_starts, starts
        if starts < self._loop.starts or starts <= before or self._goes_on("reboot-loop"):
            return
        what = f"the machine started {starts} times and "
        if self.hears_kernel:
            what += "no kernel said a word: it is damaged, or what should load it"
        else:
            what += "never came up; why it did not is not heard: " + (self.why_not_heard or "the kernel is quiet")
        self._add("reboot-loop", what, RebootLoop, line, len(self.phases.boots))

    def _look_for_silence(self, now: float) -> float | None:
        """Report silence if it has lasted; returns when it would have, None while nobody watches."""
        boot = self.phases.current
        if self.silence is None or (boot is not None and (boot.ready or self.silence.until in boot.at)):
            return None
        if now - self.last_byte < self.silence.limit:
            return self.last_byte + self.silence.limit
        came = f"boot {boot.number} came to {boot.last_phase}" if boot else self.no_boot
        if boot is not None and boot.last_phase is Phase.INIT and not self.why_not_heard:
            came = f"boot {boot.number} has started init, and init has not said a word of its own"
        what = f"the console has said nothing for {now - self.last_byte:.0f} s and nothing serves yet; {came}"
        line = self.lines[-1] if self.lines else Line(now, self.recording.size, "(nothing)", mark=True)
        if not self._goes_on("silence"):
            self._add("silence", what, ConsoleSilence, line, boot.number if boot else 0)
        self.silence = None
        self.notify()
        return None

    def _goes_on(self, name: str) -> bool:
        """Whether what comes from no single line goes on as it was: one finding says so, and counts."""
        allowed, provokes = self.crashes.allows(name), self.provoking and self.provoked is None
        findings = self.crashes.findings
        for one in islice(reversed(findings), len(findings) - self._life):
            if one.name == name and one.allowed == allowed and not one.expected and not provokes:
                one.count += 1
                return True
        return False

    def _add(
        self,
        name: str,
        what: str,
        error: type[RebootLoop | ConsoleSilence],
        line: Line,
        boot: int,
        severity: Severity = Severity.FATAL,
    ) -> None:
        last = list(islice(self.lines, max(0, len(self.lines) - 30), None))
        # Only what ends no wait has to explain what fails after it.
        cause = TO_DO[name] if severity is Severity.NOTED else ""
        made = Finding(name, what, severity, error, line, boot, evidence=last, hint=TO_DO[name], cause=cause)
        self.crashes.add(made)
