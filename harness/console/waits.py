"""Waits on a console: for words, lines, phases, boots and silence; each ends at once with a crash."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TypeVar

from harness.console.intake import Intake
from harness.console.match import Mark, Match, Pattern
from harness.console.phases import Boot, Phase
from harness.console.reader import Reader
from harness.console.recording import Recording
from harness.errors import WaitTimeout

T = TypeVar("T")


class Waits:
    """The waits on the console of one appliance, and what they say when they end in vain.

    They raise WaitTimeout, or the crash as an error of its own (KernelPanic, InitFailure, ...).
    """

    def __init__(self, intake: Intake) -> None:
        self.name = intake.name
        self._intake = intake
        self._changed = intake.changed
        self._reader: Reader | None = None

    @property
    def recording(self) -> Recording:
        """The files that hold every byte with its time."""
        return self._intake.recording

    @property
    def attached(self) -> bool:
        """Whether a machine is attached and its console still open."""
        reader = self._reader
        return reader is not None and not reader.ended.is_set()

    def mark(self) -> Mark:
        """Return this moment as a position in the recording."""
        return Mark(self.recording.size)

    def excerpt(self, lines: int = 40) -> str:
        """Return the last lines with their times."""
        with self._changed:
            last = [str(line) for line in list(self._intake.lines)[-lines:]]
            partial = self._intake.splitter.partial
        return "\n".join([*last, f"{'':9}  {partial}"] if partial else last)

    def check(self) -> None:
        """Raise if the appliance has crashed, as soon as its last words are complete (at most 3 seconds)."""
        self._intake.check()

    def check_unseen(self) -> None:
        """Raise a crash that no wait has ended with yet: for the end of a test that looked elsewhere."""
        self._intake.check_unseen()

    def wait(self, seconds: float) -> None:
        """Let this many seconds pass, but end at once with the error if the appliance crashes."""
        with self._changed:
            self._changed.wait_for(lambda: self._intake.aborted or self._intake.crash, seconds)
            self.check()

    def expect(self, pattern: Pattern | Sequence[Pattern], *, timeout: float, what: str = "") -> Match:
        """Wait for the first of the patterns in the stream after the last match (pexpect's way).

        A match may span 4096 characters. Lines end in ``\\r\\n``. A pattern such as ``\\S+`` may match before the
        rest of the line has come: let it go up to the line's end, or use ``wait_for_line``.
        """
        patterns = [pattern] if isinstance(pattern, str | re.Pattern) else list(pattern)
        compiled = [re.compile(one, re.MULTILINE) if isinstance(one, str) else one for one in patterns]
        awaited = what or " or ".join(repr(one.pattern) for one in compiled)
        try:
            match = self._intake.feed.expect(compiled, timeout, self.check)
        except TimeoutError:
            raise self.timed_out(awaited, timeout) from None
        # The match may lie in the chunk that brought the crash as well: the crash counts.
        self.check()
        return match

    def wait_for_line(
        self, pattern: Pattern, *, timeout: float, what: str = "", since: Mark | None = None
    ) -> re.Match[str]:
        """Wait for a whole line that fits, without escape sequences: one since the mark, else a new one."""
        compiled = re.compile(pattern)
        start = (since or self.mark()).offset
        intake = self._intake
        looked_at = 0

        def find() -> re.Match[str] | None:
            nonlocal looked_at
            new, looked_at = min(intake.seen - looked_at, len(intake.lines)), intake.seen
            fitting = (
                compiled.search(line.text)
                for line in islice(intake.lines, len(intake.lines) - new, None)
                if line.offset > start and not line.mark
            )
            return next((found for found in fitting if found is not None), None)

        return self._wait(find, timeout, what or repr(compiled.pattern))

    def wait_for_phase(self, phase: Phase | str, *, timeout: float, after: int = 0) -> Boot:
        """Wait until the current boot, with a number above ``after``, has reached the phase; returns the boot."""
        wanted = Phase(phase)

        def reached() -> Boot | None:
            boot = self._intake.phases.current
            return boot if boot is not None and boot.number > after and wanted in boot.at else None

        return self._wait(reached, timeout, f"the boot phase {wanted.value!r}")

    def wait_for_boot(self, *, after: int, timeout: float) -> Boot:
        """Wait until a kernel starts whose boot has a number above ``after``; returns the boot."""
        boots = self._intake.phases.boots
        return self._wait(lambda: boots[after] if len(boots) > after else None, timeout, f"boot {after + 1}")

    def wait_for_quiet(self, seconds: float, *, timeout: float) -> None:
        """Wait until nothing was said for this many seconds."""
        until = time.monotonic() + timeout
        with self._changed:
            while (quiet := self.recording.seconds() - self._intake.last_byte) < seconds:
                self.check()
                left = until - time.monotonic()
                if left <= 0:
                    raise self.timed_out(f"{seconds:.0f} s of silence", timeout)
                self._changed.wait(min(seconds - quiet, left))
            self.check()

    def wait_for_more(self, since: Mark, *, at_most: float) -> None:
        """Wait until something is said after the mark, at most so many seconds; raises no crash."""
        with self._changed:
            self._changed.wait_for(lambda: self.recording.size != since.offset, at_most)

    def skip(self) -> None:
        """Let ``expect`` forget everything that came so far."""
        self._intake.feed.skip()

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
                    raise self.timed_out(what, timeout)
                self._changed.wait(left)

    def timed_out(self, what: str, timeout: float) -> WaitTimeout:
        """The error of a wait for ``what`` that has lasted this long: it says what came instead."""
        with self._changed:
            boot = self._intake.phases.current
            silent = self.recording.seconds() - self._intake.last_byte
        instead = f"boot {boot.number} came to {boot.last_phase}" if boot else self._intake.no_boot
        if not self.attached:
            instead += ", and the machine has ended"
        return WaitTimeout(
            f"waited {timeout:.0f} s on the console for {what}; {instead}; last byte {silent:.1f} s ago",
            where=self.name,
            evidence=self.excerpt(25) or "(the console said nothing)",
        )
