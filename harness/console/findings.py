"""What the console checks found, with the lines around it, and the watcher that finds it."""

from __future__ import annotations

import re
import signal
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from harness.console.check import PANIC_SILENCE, PANIC_WINDOW, Check, Severity
from harness.console.crashes import Table
from harness.console.lines import Line, said_by_kernel
from harness.errors import HarnessError, QemuFailed

_LAST_WORDS = re.compile(r"Rebooting in \d+ seconds|---\[ end Kernel panic|reboot: machine restart")
_GO_CRASH = re.compile(r"^(?:panic: |fatal error: |SIG[A-Z]+: )")
_TRAPPED = re.compile(r"\bCode: .*?([0-9a-f]{2}) <[0-9a-f]{2}>")
"""The byte that the processor ran last: after a trap, the program counter stands behind it."""
_BREAKPOINT = "cc"
_AT_FAULT = re.compile(r"\b(?:RIP: 0010:|pc : |PC is at )([A-Za-z_][\w.]*)(?:\+0x|$)")
"""The function of the kernel that the processor was in."""
_NOT_LONG_AGO = 200_000
"""Bytes of the console within which what one finding says belongs to the next."""
_EXIT_CODE = re.compile(r"exitcode=0x([0-9a-f]+)")

_LONGEST_TAIL = 80
"""Lines after a crash that belong to it."""
_NOTED_TAIL = 30
"""Lines of a kernel warning that belong to it."""
_MOST_ALIKE = 20
"""Findings kept of one check, in one life of the machine; later ones are only counted."""
_LONGEST_WORDS = 500
"""Characters of what a finding says."""
_MOST_EVIDENCE = 32768
"""Characters that the lines of one finding have; what comes after them is left out."""


@dataclass
class Finding:
    """One thing that the console said and that a clean one does not say."""

    name: str
    what: str
    """One sentence: what happened."""
    severity: Severity
    error_type: type[HarnessError]
    line: Line
    boot: int
    """The number of the boot it happened in; 0 before the first kernel."""
    evidence: list[Line] = field(default_factory=list)
    hint: str = ""
    """What to do about it."""
    cause: str = ""
    """What to do about it, where it explains what fails after it."""
    also: list[str] = field(default_factory=list)
    """Other checks that fitted the same last words."""
    count: int = 1
    """How often it was seen, this one included."""
    settled: bool = False
    """Whether the evidence is complete enough for a wait to end with it."""
    expected: bool = False
    """Whether a test provoked it."""
    allowed: bool = False
    """Whether the test, or the run, said that it may happen."""
    reason: str = ""
    """Why the run allows it."""
    raised: bool = False
    """Whether a wait has ended with it: who waited knows."""
    overdue: bool = False
    """Whether a limit that passed is all that speaks for it."""

    @property
    def fatal(self) -> bool:
        """Whether it ends the waits."""
        return self.severity is Severity.FATAL and not self.expected and not self.allowed

    def error(self, *, where: str = "") -> HarnessError:
        """Return the error that stands for it."""
        place = f"console, {self.line.at:.1f} s after power-on"
        if self.boot:
            place += f", boot {self.boot}"
        return self.error_type(
            self.what,
            where=f"{place} ({where})" if where else place,
            hint=self.hint,
            evidence="\n".join(str(line) for line in shortened(self.evidence, 60)),
            overdue=self.overdue,
        )

    def __str__(self) -> str:
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"[{self.name}] {self.line.at:.1f} s: {self.what}{times}"


@dataclass
class ExpectedCrash:
    """A crash that a test provokes; ``finding`` is set when the block is left."""

    finding: Finding | None = None


def shortened(lines: Sequence[Line], most: int) -> list[Line]:
    """Return at most ``most`` lines: two thirds from the beginning, a note of what is left out, the rest."""
    if len(lines) <= most:
        return list(lines)
    head = most * 2 // 3
    tail = most - head - 1
    left_out = len(lines) - head - tail
    gap = Line(lines[head].at, lines[head].offset, f"({left_out} lines left out)", mark=True)
    return [*lines[:head], gap, *lines[-tail:]]


def shorten(words: str) -> str:
    """Return the words of a finding, not too many of them."""
    return words if len(words) <= _LONGEST_WORDS else words[:_LONGEST_WORDS] + " ..."


def _last(lines: Sequence[Line]) -> list[Line]:
    """The last of these lines, as many as a finding keeps."""
    room, first = _MOST_EVIDENCE, len(lines)
    while first and room >= len(lines[first - 1].text):
        first -= 1
        room -= len(lines[first].text)
    return list(lines[first:])


@dataclass
class _Open:
    """A finding whose evidence still comes in."""

    finding: Finding
    room: int
    """Lines that it still takes."""
    text: int
    """Characters that these may have."""
    until: float
    """Seconds since power-on at which no more is taken in."""
    silent: float
    """When no wait waits for more, if nothing more comes."""
    panic: bool
    wants_function: bool = False
    """Whether the function at fault is still to come."""
    trapped: bool = False
    """Whether a breakpoint stopped the kernel, and the code around it is still to come."""

    @property
    def due(self) -> float:
        """When waits end as things are: what says whose fault it is, is waited for however silent it is."""
        return self.until if self.trapped else min(self.until, self.silent)


@dataclass
class _Suspicion:
    """A check with patience that was not cured yet."""

    check: Check
    finding: Finding
    due: float


class CrashWatcher:
    """Fits each line against the table. No threads, no clock: its owner says what time it is.

    ``in_many_threads`` says whether QEMU now translates the guest's code in a thread for each processor.
    """

    def __init__(self, table: Table | None = None, *, in_many_threads: Callable[[], bool] = lambda: False) -> None:
        self.table = Table() if table is None else table
        self._in_many_threads = in_many_threads
        self.findings: list[Finding] = []
        self.allowed: Collection[str] = frozenset()
        """Names of checks that may fit without harm."""
        self._recent: deque[Line] = deque(maxlen=200)
        self._open: list[_Open] = []
        self._suspicions: list[_Suspicion] = []
        self._go_crash: tuple[int, Line] | None = None
        """The last boot and line in which a Go program began to say how it died: a thousand lines may follow."""
        self._alike: dict[tuple[str, bool], list[Finding]] = {}

    def see(
        self, line: Line, *, boot: int, firmware: bool = False, bare: bool = False, timed: bool = False
    ) -> None:
        """Take in the next line of the boot with this number.

        ``firmware`` says whether no kernel runs, ``bare`` whether the kernel prints no times, ``timed`` whether
        it is known to print them.
        """
        kernel = said_by_kernel(line, bare=bare)
        # Each line comes by here: what is mostly empty is not walked through.
        for suspicion in list(self._suspicions) if self._suspicions else ():
            cure = suspicion.check.cure
            if cure is not None and cure.search(line.text):
                self._suspicions.remove(suspicion)
        absorbed = self._extend_open(line, kernel=kernel) if self._open else None
        hit = None if line.mark else self.table.classify(line.text, kernel=kernel, firmware=firmware, timed=timed)
        if hit is not None:
            check, match = hit
            deadly = check.severity is Severity.FATAL and not self.allows(check.name)
            if absorbed is not None and not (absorbed.allowed and deadly):
                if check.name != absorbed.name and check.name not in absorbed.also:
                    absorbed.also.append(check.name)
            else:
                self._found(check, match, line, boot)
        self._recent.append(line)
        if not kernel and _GO_CRASH.match(line.text):
            self._go_crash = boot, line

    def add(self, finding: Finding) -> None:
        """Take in a finding that comes from no single line; it counts as settled."""
        finding.allowed = self.allows(finding.name)
        finding.reason = self.table.excused.get(finding.name, "")
        finding.settled = True
        finding.evidence = finding.evidence or list(self._recent)[-15:]
        self.findings.append(finding)

    def tick(self, now: float, *, settle: bool = False) -> None:
        """Settle what is due at ``now`` (seconds since power-on), or everything that is open."""
        for item in list(self._open):
            if settle or now >= item.until:
                self._settle(item)
            elif now >= item.due:
                item.finding.settled = True
        for suspicion in list(self._suspicions):
            if now >= suspicion.due:
                self._suspicions.remove(suspicion)
                self.add(suspicion.finding)

    def due(self) -> float | None:
        """When ``tick`` has something to do next, in seconds since power-on."""
        times = [item.until if item.finding.settled else item.due for item in self._open]
        times += [item.due for item in self._suspicions]
        return min(times, default=None)

    def allows(self, name: str) -> bool:
        """Whether what this check finds may happen now."""
        return name in self.allowed or name in self.table.excused

    def count_anew(self) -> None:
        """Keep what is found from now on, however often it was found before."""
        self._alike.clear()

    def forget_suspicions(self) -> None:
        """The machine starts anew: what was only suspected no longer counts."""
        self._suspicions.clear()

    def _found(self, check: Check, match: re.Match[str], line: Line, boot: int) -> None:
        allowed = self.allows(check.name)
        alike = self._alike.setdefault((check.name, allowed), [])
        fatal = check.severity is Severity.FATAL
        if len(alike) >= _MOST_ALIKE:
            alike[-1].count += 1
            return
        before = list(islice(self._recent, max(0, len(self._recent) - check.look_back), None))
        what = check.meaning.format(match[0], *((group or "") for group in match.groups()))
        if check.of_init:
            before = self._last_of_init(boot)
            what = _why_init_died(match[0], before)
        cause = self._cause_of(check, line, boot)
        if cause is not None:
            what = f"{cause.what}; then: {what}"
            at = {one.offset for one in before}
            before = [*(one for one in cause.evidence[:_NOTED_TAIL] if one.offset not in at), *before]
        finding = Finding(
            check.name,
            shorten(what),
            check.severity,
            check.error,
            line,
            boot,
            evidence=[*_last(before), line],
            hint=check.hint,
            cause=check.cause,
            allowed=allowed,
            reason=self.table.excused.get(check.name, ""),
            overdue=bool(check.patience),
        )
        if check.patience:
            self._suspicions.append(_Suspicion(check, finding, line.at + check.patience))
            return
        alike.append(finding)
        self.findings.append(finding)
        panic = "Kernel panic" in line.text
        # A warning's lines follow it; they need no haste, for nobody waits for them.
        window = PANIC_WINDOW if panic else check.window
        stopped = bool(check.breakpoint) and re.search(check.breakpoint, match[0]) is not None
        trapped = stopped and self._in_many_threads()
        room = _LONGEST_TAIL if fatal else _NOTED_TAIL
        until, silent = line.at + window, line.at + PANIC_SILENCE
        self._open.append(
            _Open(finding, room, _MOST_EVIDENCE, until, silent, panic, check.names_function, trapped)
        )

    def _cause_of(self, check: Check, line: Line, boot: int) -> Finding | None:
        """The last finding not long before the line that says more than one of this check."""
        for one in reversed(self.findings if check.follows else []):
            if one.boot != boot or line.offset - one.line.offset > _NOT_LONG_AGO:
                return None
            if one.name in check.follows:
                return one
        return None

    def _extend_open(self, line: Line, *, kernel: bool | None) -> Finding | None:
        """Add the line to what is open; return the crash that it belongs to, if there is one.

        What the test allowed is no crash: a death behind it is one of its own.
        """
        owner: Finding | None = None
        for item in list(self._open):
            fatal = item.finding.severity is Severity.FATAL
            if not fatal and kernel is False:
                self._settle(item)
                continue
            item.text -= len(line.text)
            if item.text > 0:
                item.finding.evidence.append(line)
            item.room -= 1
            item.silent = line.at + PANIC_SILENCE
            if fatal:
                if owner is None or owner.allowed:
                    owner = item.finding
                at = _AT_FAULT.search(line.text) if item.wants_function else None
                if at is not None:
                    item.wants_function = False
                    item.finding.what += f" (in {at[1]})"
                code = _TRAPPED.search(line.text) if item.trapped else None
                if code is not None:
                    item.trapped = False
                    _blame_translation(item.finding, code[1])
                if "Kernel panic" in line.text and not item.panic:
                    # What led to it was found before: wait for the panic's own last words now.
                    item.panic = True
                    item.until = max(item.until, line.at + PANIC_WINDOW)
            if item.room <= 0 or (fatal and _LAST_WORDS.search(line.text)):
                self._settle(item)
        return owner

    def _settle(self, item: _Open) -> None:
        item.finding.settled = True
        self._open.remove(item)

    def _last_of_init(self, boot: int) -> list[Line]:
        """Return what init said last: from its panic on if there is one, else its last lines."""
        recent = list(self._recent)
        if self._go_crash is None or self._go_crash[0] != boot:
            return recent[-20:]
        crash = self._go_crash[1]
        if recent and recent[-1].offset - crash.offset > _NOT_LONG_AGO:
            return recent[-20:]
        return [crash, *(line for line in recent if line.offset > crash.offset)]


def _blame_translation(finding: Finding, byte: str) -> None:
    """Blame QEMU for a breakpoint that no longer stands in the kernel's code; ``byte`` is what stands there.

    A kernel changes its own code with breakpoints while other processors run it. QEMU with a thread for each
    processor can keep what it translated a moment too early (its issue 4669), and run the breakpoint later.
    """
    if byte == _BREAKPOINT:
        return
    finding.error_type = QemuFailed
    finding.what = (
        f"QEMU ran a breakpoint where the kernel's code has {byte}: a translation of what stood there before, "
        "a known defect of QEMU without KVM (its issue 4669)"
    )
    finding.hint = "run the test again: it says nothing about the appliance"


def _named(number: int) -> str:
    """A signal by its number and name, and what that one often means."""
    names = {one.value: one.name for one in signal.Signals}
    often = ", an instruction that this processor lacks" if number == signal.SIGILL else ""
    return f"{number} ({names.get(number, 'unknown')}{often})"


def _why_init_died(panic: str, before: Iterable[Line]) -> str:
    """Put init's exit status and its last words into a sentence."""
    how = "init ended"
    code = _EXIT_CODE.search(panic)
    if code is not None:
        status = int(code[1], 16)
        how = (
            f"init was killed by signal {_named(status & 0x7F)}"
            if status & 0x7F
            else f"init exited with status {status >> 8}"
        )
    said = [line.text.strip() for line in before if not line.kernel and not line.mark and line.text.strip()]
    crash = next((text for text in said if _GO_CRASH.search(text)), None)
    last = crash or (said[-1] if said else "")
    return f"{how}, and the kernel cannot live without it" + (f"; it last said: {last}" if last else "")
