"""The console of one appliance, over all its power cycles."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pexpect

from harness.console.crashes import NAMES, Severity
from harness.console.feed import Feed
from harness.console.findings import PANIC_WINDOW, CrashWatcher, Finding
from harness.console.lines import Line, LineSplitter, plain
from harness.console.loops import LoopRule, reboot_loop
from harness.console.phases import Boot, Cause, Phase, PhaseWatcher
from harness.console.reader import Reader
from harness.console.recording import Recording
from harness.errors import (
    ConsoleSilence,
    DeviceUnreachable,
    HarnessError,
    HostFault,
    InternalError,
    OptionError,
    RebootLoop,
    WaitTimeout,
)

T = TypeVar("T")
Pattern = str | re.Pattern[str]

_KEPT_LINES = 20_000
"""Lines kept in memory; the recording has all of them."""
_SEND_LIMIT = 10.0


@dataclass(frozen=True)
class Match:
    """What ``expect`` found."""

    index: int
    """Which of the patterns."""
    match: re.Match[str]
    before: str
    """What came before it, since the match before."""

    @property
    def text(self) -> str:
        """The text that matched."""
        return self.match[0]

    def group(self, group: int | str = 0) -> str:
        """The text of a group; "" for one that took no part."""
        return self.match[group] or ""


@dataclass(frozen=True, order=True)
class Mark:
    """A position in the recording."""

    offset: int


@dataclass
class ExpectedCrash:
    """A crash that a test provokes."""

    finding: Finding | None = None


class Console:
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
        loop: LoopRule | None = None,
    ) -> None:
        """Record into ``folder``; ``name`` is the appliance in errors, ``allow`` names checks that may fit."""
        self.recording = Recording(folder, clock=clock)
        self.name = name
        self._changed = threading.Condition(threading.RLock())
        self._expecting = threading.Lock()
        self._splitter = LineSplitter()
        self._crashes = CrashWatcher()
        self._phases = PhaseWatcher()
        self._loop = loop or LoopRule()
        self._feed = Feed(self.recording)
        self._lines: deque[Line] = deque(maxlen=_KEPT_LINES)
        self._reader: Reader | None = None
        self._power_ons = 0
        self._life = 0
        """How many findings there were at the last power-on: older ones no longer end a wait."""
        self._aborted: HarnessError | None = None
        self._provoked: ExpectedCrash | None = None
        self._silence: float | None = None
        self._last_byte = 0.0
        self._allow_names(allow)

    # --- machines come and go --------------------------------------------------------------------------------

    def attach(
        self, sock: socket.socket, *, reason: Cause | str = Cause.POWER_ON, boot: Boot | None = None
    ) -> None:
        """Take over a connected socket and drain it from now on.

        ``reason`` is power-on, reset (the harness starts QEMU again after the guest's reset) or restored, with
        the ``boot`` that was captured. Power-on and restored set the time to 0 and forget an earlier crash.
        """
        cause = Cause(reason)
        with self._changed:
            if self._reader is not None:
                raise InternalError("the console is attached already: detach it first", where=self.name)
            fresh = cause is not Cause.RESET
            if fresh:
                self._power_ons += 1
                self._life = len(self._crashes.findings)
                self._aborted = None
                self._feed.skip()
            self._note(f"{cause.value} {self._power_ons}" if fresh else cause.value, zero=fresh)
            self._last_byte = self.recording.seconds()
            self._crashes.forget_suspicions()
            if cause is Cause.RESTORED and boot is not None:
                self._phases.adopt(boot, self._last_byte)
            else:
                self._phases.machine_started(cause, self._last_byte)
            self._reader = Reader(sock, on_data=self._data, on_tick=self._tick, on_end=self._ended)
            self._reader.start()
            self._changed.notify_all()

    def powered_on(self) -> None:
        """The machine, attached while it was paused, runs from this moment on: it is second 0."""
        with self._changed:
            self._note("running", zero=True)
            self._last_byte = 0.0
            self._phases.machine_started(Cause.POWER_ON, 0.0)

    def was_reset(self, why: str = "") -> None:
        """The machine was reset without QEMU ending (QMP said so)."""
        with self._changed:
            self._note(f"reset: {why}" if why else "reset", zero=False)
            self._crashes.forget_suspicions()
            self._phases.machine_started(Cause.RESET, self.recording.seconds())

    def detach(self) -> None:
        """Read what is left and let go of the socket; does nothing when nothing is attached."""
        reader = self._reader
        if reader is None:
            return
        reader.stop()
        with self._changed:
            self._reader = None
            self._changed.notify_all()
        self._feed.wake()

    def close(self) -> None:
        """Detach and close the recording."""
        self.detach()
        with self._changed:
            self._feed.close()
            self.recording.close()

    @property
    def attached(self) -> bool:
        """Whether a machine is attached and its console still open."""
        reader = self._reader
        return reader is not None and not reader.ended.is_set()

    def abort(self, error: HarnessError) -> None:
        """End every wait with this error (QEMU ended by itself, say), until the next power-on."""
        with self._changed:
            self._aborted = self._aborted or error
            self._changed.notify_all()
        self._feed.wake()

    # --- what it said ------------------------------------------------------------------------------------

    @property
    def findings(self) -> list[Finding]:
        """All findings so far, information included."""
        with self._changed:
            return list(self._crashes.findings)

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
            return list(self._phases.boots)

    @property
    def current(self) -> Boot | None:
        """The boot that runs now; None until its kernel speaks."""
        with self._changed:
            return self._phases.current

    def lines(self, *, since: Mark | None = None) -> list[Line]:
        """Return the lines so far (the last 20000), marks of power cycles included."""
        with self._changed:
            return [line for line in self._lines if since is None or line.offset > since.offset]

    def excerpt(self, lines: int = 40) -> str:
        """Return the last lines with their times."""
        with self._changed:
            last = [str(line) for line in list(self._lines)[-lines:]]
            partial = self._splitter.partial
        return "\n".join([*last, f"{'':9}  {partial}"] if partial else last)

    def mark(self) -> Mark:
        """Return this moment as a position in the recording."""
        return Mark(self.recording.size)

    def since(self, mark: Mark) -> str:
        """Return what was said since the mark, without escape sequences."""
        return plain(self.recording.read(mark.offset))

    # --- crashes -------------------------------------------------------------------------------------------

    @property
    def crash(self) -> Finding | None:
        """The crash that ends every wait, None while all is well."""
        with self._changed:
            return next((finding for finding in self._crashes.findings[self._life :] if finding.fatal), None)

    def check(self) -> None:
        """Raise if the appliance has crashed, as soon as its last words are complete (at most 2 seconds)."""
        with self._changed:
            if self._aborted is not None:
                raise self._aborted
            finding = self.crash
            if finding is None:
                return
            self._changed.wait_for(lambda: finding.settled, PANIC_WINDOW + 1)
            raise finding.error(where=self.name)

    def wait(self, seconds: float) -> None:
        """Let this many seconds pass, but end at once with the error if the appliance crashes."""
        with self._changed:
            self._changed.wait_for(self._over, seconds)
            self.check()

    @contextlib.contextmanager
    def expect_crash(self, *, timeout: float = 30.0) -> Iterator[ExpectedCrash]:
        """Within this block a crash is wanted: it is no error, and at the end it is waited for."""
        self.check()
        provoked = ExpectedCrash()
        with self._changed:
            if self._provoked is not None:
                raise InternalError("expect_crash does not nest", where=self.name)
            self._provoked = provoked
        try:
            yield provoked
            self._wait(lambda: provoked.finding is not None and provoked.finding.settled, timeout, "a crash")
        finally:
            with self._changed:
                self._provoked = None

    @contextlib.contextmanager
    def allow(self, *names: str) -> Iterator[None]:
        """Within this block these checks may fit without harm; raises OptionError for a name that is none."""
        with self._changed:
            before = self._crashes.allowed
            self._allow_names((*before, *names))
        try:
            yield
        finally:
            with self._changed:
                self._crashes.allowed = before

    @contextlib.contextmanager
    def watch_silence(self, limit: float) -> Iterator[None]:
        """Within this block, ``limit`` seconds without a byte before the appliance serves are ConsoleSilence."""
        with self._changed:
            before, self._silence = self._silence, limit
            self._last_byte = self.recording.seconds()
            self._wake_reader()
        try:
            yield
        finally:
            with self._changed:
                self._silence = before

    # --- waits -----------------------------------------------------------------------------------------------

    def expect(self, pattern: Pattern | Sequence[Pattern], *, timeout: float, what: str = "") -> Match:
        """Wait for the first of the patterns in the stream after the last match (pexpect's way).

        A match may span 4096 characters. Lines end in ``\\r\\n``, and a pattern that can match less than is still
        to come (``\\S+`` at its end) should go up to a line's end; ``wait_for_line`` has no such trap.
        """
        patterns = [pattern] if isinstance(pattern, str | re.Pattern) else list(pattern)
        compiled = [re.compile(one, re.MULTILINE) if isinstance(one, str) else one for one in patterns]
        awaited = what or " or ".join(repr(one.pattern) for one in compiled)
        if not self._expecting.acquire(blocking=False):
            raise InternalError("two threads expect on one console", where=awaited)
        try:
            index = self._feed.expect(compiled, timeout, self.check)
            spawn = self._feed.spawn
            match = spawn.match
        except pexpect.TIMEOUT:
            raise self._timed_out(awaited, timeout) from None
        finally:
            self._expecting.release()
        self.check()
        if not isinstance(match, re.Match):
            raise InternalError("pexpect returned no match", where=awaited)
        return Match(index, match, spawn.before or "")

    def wait_for_line(
        self, pattern: Pattern, *, timeout: float, what: str = "", since: Mark | None = None
    ) -> re.Match[str]:
        """Wait for a whole line that fits, without escape sequences: one since the mark, else a new one."""
        compiled = re.compile(pattern)
        start = (since or self.mark()).offset

        def find() -> re.Match[str] | None:
            for line in reversed(self._lines):
                if line.offset <= start:
                    return None
                found = None if line.mark else compiled.search(line.text)
                if found is not None:
                    return found
            return None

        return self._wait(find, timeout, what or repr(compiled.pattern))

    def wait_for_phase(self, phase: Phase | str, *, timeout: float, after: int = 0) -> Boot:
        """Wait until the current boot, with a number above ``after``, has reached the phase; returns the boot."""
        wanted = Phase(phase)

        def reached() -> Boot | None:
            boot = self._phases.current
            return boot if boot is not None and boot.number > after and wanted in boot.at else None

        return self._wait(reached, timeout, f"the boot phase {wanted.value!r}")

    def wait_for_boot(self, *, after: int, timeout: float) -> Boot:
        """Wait until a kernel starts whose boot has a number above ``after``; returns the boot."""
        return self._wait(
            lambda: next((boot for boot in self._phases.boots if boot.number > after), None),
            timeout,
            f"boot {after + 1}",
        )

    def wait_for_end(self, *, timeout: float) -> None:
        """Wait until the other end closes the console, that is until QEMU ends."""
        self._wait(lambda: not self.attached, timeout, "the end of the machine")

    def send(self, text: str | bytes, *, timeout: float = _SEND_LIMIT) -> None:
        """Type this on the console; raises DeviceUnreachable when no machine is attached."""
        reader = self._reader
        if reader is None or reader.ended.is_set():
            raise DeviceUnreachable("the appliance is off: nobody reads its console", where=self.name)
        reader.send(text.encode() if isinstance(text, str) else text, timeout=timeout)

    def skip(self) -> None:
        """Let ``expect`` forget everything that came so far."""
        self._feed.skip()

    # --- inside ------------------------------------------------------------------------------------------------

    def _wait(self, look: Callable[[], T | None], timeout: float, what: str) -> T:
        """Return what ``look`` finds, once it is neither None nor False; it is called with the lock held."""
        until = time.monotonic() + timeout
        with self._changed:
            while True:
                self.check()
                found = look()
                if found is not None and found is not False:
                    return found
                left = until - time.monotonic()
                if left <= 0:
                    raise self._timed_out(what, timeout)
                self._changed.wait(left)

    def _over(self) -> bool:
        return self._aborted is not None or self.crash is not None

    def _data(self, data: bytes) -> None:
        """Take in a chunk; called by the reader, must never block."""
        with self._changed:
            offset = self.recording.size
            try:
                at = self.recording.append(data)
            except (HarnessError, OSError) as error:
                self._recording_failed(error)
                return
            self._last_byte = at
            self._see(self._splitter.feed(data, offset=offset, at=at))
            self._changed.notify_all()
        self._feed.pump()

    def _see(self, lines: Sequence[Line]) -> None:
        known = len(self._crashes.findings)
        for line in lines:
            self._lines.append(line)
            begun = self._phases.see(line)
            if begun is not None:
                self._crashes.forget_suspicions()
                self._look_for_loop(begun, line)
            boots = self._phases.boots
            self._crashes.see(line, boot=boots[-1].number if boots else 0)
        self._claim_provoked(known)

    def _claim_provoked(self, known: int) -> None:
        """Mark the fatal findings after the first ``known`` ones as expected while a test provokes a crash."""
        for finding in self._crashes.findings[known:] if self._provoked is not None else ():
            if finding.fatal:
                finding.expected = True
                self._provoked.finding = self._provoked.finding or finding  # type: ignore[union-attr]

    def _look_for_loop(self, begun: Boot, line: Line) -> None:
        chain = reboot_loop(self._phases.boots, self._loop)
        if not chain:
            return
        crashes = [finding for finding in self._crashes.findings if finding.severity is Severity.FATAL]
        last = (
            crashes[-1].what
            if crashes
            else "it said no reason: a watchdog, or a fault that the kernel cannot report"
        )
        seconds = chain[-1].started - chain[0].started
        what = (
            f"it started {len(chain)} times within {seconds:.0f} s and never came to serve; the last cause: {last}"
        )
        self._crashes.add(
            Finding(
                "reboot-loop",
                what,
                Severity.FATAL,
                RebootLoop,
                line,
                begun.number,
                evidence=list(self._lines)[-30:],
            )
        )

    def _tick(self) -> float | None:
        """Do what time demands; returns the seconds until it must be called again."""
        with self._changed:
            now = self.recording.seconds()
            known = len(self._crashes.findings)
            due = self._crashes.due()
            self._crashes.tick(now)
            if due is not None and now >= due:
                self._changed.notify_all()
                self._feed.wake()
            silent = self._look_for_silence(now)
            self._claim_provoked(known)
            waits = [time_ - now for time_ in (self._crashes.due(), silent) if time_ is not None]
            return max(0.0, min(waits)) if waits else None

    def _look_for_silence(self, now: float) -> float | None:
        """Report silence if it has lasted; returns when it would have, None while nobody watches."""
        boot = self._phases.current
        if self._silence is None or (boot is not None and boot.ready):
            return None
        if now - self._last_byte < self._silence:
            return self._last_byte + self._silence
        line = self._lines[-1] if self._lines else Line(now, self.recording.size, "(nothing)", mark=True)
        came = (
            f"boot {boot.number}, after {boot.last_phase.value!r}"
            if boot and boot.last_phase
            else "no kernel started"
        )
        what = (
            f"the console has said nothing for {now - self._last_byte:.0f} s before the appliance served ({came})"
        )
        number = boot.number if boot else 0
        self._crashes.add(
            Finding(
                "silence", what, Severity.FATAL, ConsoleSilence, line, number, evidence=list(self._lines)[-20:]
            )
        )
        self._silence = None
        self._changed.notify_all()
        self._feed.wake()
        return None

    def _ended(self) -> None:
        """The stream is over: nothing more will complete a line or the evidence of a crash."""
        with self._changed:
            now = self.recording.seconds()
            self._see(self._splitter.close(offset=self.recording.size, at=now))
            self._crashes.tick(now, settle=True)
            self._changed.notify_all()
        self._feed.pump()
        self._feed.wake()

    def _recording_failed(self, error: Exception) -> None:
        """Go on draining, so that the guest does not hang; every wait ends with the reason."""
        self.abort(error if isinstance(error, HarnessError) else HostFault(f"cannot record the console: {error}"))

    def _note(self, text: str, *, zero: bool) -> None:
        at = self.recording.mark(text, zero=zero)
        self._lines.append(Line(at, self.recording.size, text, mark=True))

    def _wake_reader(self) -> None:
        if self._reader is not None:
            self._reader.wake()

    def _allow_names(self, names: Sequence[str]) -> None:
        unknown = sorted(set(names) - NAMES)
        if unknown:
            raise OptionError(
                f"there is no console check named {', '.join(unknown)}",
                hint=f"choose from: {', '.join(sorted(NAMES))}",
            )
        self._crashes.allowed = frozenset(names)

    def _timed_out(self, what: str, timeout: float) -> WaitTimeout:
        with self._changed:
            boot = self._phases.current
            silent = self.recording.seconds() - self._last_byte
        if boot is None:
            instead = "no kernel has started"
        else:
            last = boot.last_phase
            instead = f"boot {boot.number} came to {last.value!r}" if last else f"boot {boot.number} runs"
        if not self.attached:
            instead += "; the machine has ended"
        return WaitTimeout(
            f"waited {timeout:.0f} s on the console for {what}; {instead}, last byte {silent:.1f} s ago",
            where=self.name,
            evidence=self.excerpt(25) or "(the console said nothing)",
        )
