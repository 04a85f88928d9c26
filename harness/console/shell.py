"""The root shell on the serial console, of an image with the package serial-busybox.

init starts it when a byte comes on the console (gokrazy's tryStartShell: ``/tmp/serial-busybox/ash``, else
``/perm/sh``); there is no login. The kernel and init may print in between at any time. So a command's
output comes back as base64, each line with a token and its number before it: other lines are left out, and a lost
line is noticed.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
import secrets
import shlex
import time
from dataclasses import dataclass
from types import TracebackType

from harness.console.console import Console
from harness.console.dialogue import Await, Dialogue, Forget, Type, play
from harness.console.findings import shortened
from harness.console.lines import LineSplitter
from harness.console.match import Mark
from harness.errors import CommandFailed, InternalError, ServiceMissing, WaitTimeout

PROMPT = r"(?:~|/[^\s#]*) # "
_REFUSED = r"could not start shell: [^\r\n]*"

_LONGEST_TYPED = 400
"""Characters of a command that are typed as they are; busybox edits lines of up to 1023 with the frame."""
_PIECE = 600
_KNOCK = 5.0
"""Seconds to wait for the answer to one key."""
_RECOVER = 5.0
_TRY_AGAIN = 1.0
"""Seconds between two knocks; the program that unpacks the shell is one of the services started at boot."""


def wake(timeout: float) -> Dialogue:
    """The dialogue that starts the shell, or gets a prompt of the one that runs."""
    return (
        Forget(),
        Type("\n"),
        Await(f"{PROMPT}|{_REFUSED}", "the prompt of the serial shell", timeout),
    )


def settle(prompt: str, timeout: float) -> Dialogue:
    """The dialogue that gives the shell a prompt of its own, so that one left over is never taken for the next.

    It is typed in two halves: the shell's echo of it must not look like it.
    """
    return (
        Forget(),
        Type(f'PS1="{prompt[:3]}""{prompt[3:]}"\n'),
        Await(re.escape(prompt), "the new prompt of the serial shell", timeout),
    )


def enter(line: str, prompt: str, timeout: float) -> Dialogue:
    """The dialogue that types a line without an answer."""
    return (Forget(), Type(f"{line}\n"), Await(re.escape(prompt), "the prompt of the serial shell", timeout))


def interrupt(prompt: str, timeout: float) -> Dialogue:
    """The dialogue that ends a command that takes too long."""
    return (Forget(), Type("\x03"), Await(re.escape(prompt), "the prompt after an interrupt", timeout))


@dataclass(frozen=True)
class Frame:
    """What is typed for one command, and how its answer is found."""

    typed: tuple[str, ...]
    """Lines; a prompt is awaited between two of them."""
    token: str

    @property
    def end(self) -> str:
        """What the line after the answer's last one looks like: it says how many there were."""
        return rf"{self.token} end (\d+)"

    def answer(self, raw: bytes) -> tuple[int, bytes]:
        """Return status and output out of what the console said; raises InternalError if it cannot be read."""
        splitter = LineSplitter()
        lines = splitter.feed(raw, offset=0, at=0.0) + splitter.close(offset=len(raw), at=0.0)
        marked = re.compile(rf"{self.token}:(\d+):([A-Za-z0-9+/=]+)$")
        ended = re.compile(rf"{self.end}$")
        found: dict[int, str] = {}
        expected = -1
        for line in lines:
            if match := marked.search(line.text):
                found[int(match[1])] = match[2]
            elif match := ended.search(line.text):
                expected = int(match[1])
        try:
            if list(found) != list(range(1, expected + 1)):
                raise ValueError(f"{len(found)} of {expected} lines came whole")
            output, status = base64.b64decode("".join(found.values()), validate=True).rsplit(b"\n", 1)
            return int(status), output
        except (binascii.Error, ValueError) as error:
            raise InternalError(
                f"the answer of the serial shell cannot be read: {error}",
                evidence="\n".join(str(one) for one in shortened(lines, 60)),
            ) from error


def frame(text: str, token: str) -> Frame:
    """Wrap a command so that its status and output differ from everything else on the console.

    The token is typed in two halves, so that the shell's echo of what is typed never looks like an answer.
    """
    half = len(token) // 2
    broken = f'"{token[:half]}" "{token[half:]}'
    typed: list[str] = []
    inner = shlex.quote(text)
    if not (text.isprintable() and text.isascii() and len(inner) <= _LONGEST_TYPED):
        encoded = base64.b64encode(text.encode()).decode()
        typed = [f"gk={encoded[:_PIECE]}"]
        typed += [f"gk=${{gk}}{encoded[at : at + _PIECE]}" for at in range(_PIECE, len(encoded), _PIECE)]
        inner = '"$(echo $gk | base64 -d)"'
    run = f"( eval {inner} ) </dev/null 2>&1; printf '\\n%d' $?;"
    awk = f'{{print {broken}:" NR ":" $0}} END {{print {broken} end " NR}}'
    typed.append(f"{{ {run} }} | base64 | awk '{awk}'")
    return Frame(tuple(typed), token)


class SerialShell:
    """Runs commands in the serial shell; use it in a ``with`` block, so that the shell is left again."""

    def __init__(self, console: Console, *, timeout: float = 30.0) -> None:
        """``timeout``: seconds within which the shell must answer the first key."""
        self._console = console
        self._timeout = timeout
        self._prompt = ""
        self._boots = 0

    def open(self) -> None:
        """Start the shell; raises ServiceMissing when the image has none, WaitTimeout when nothing answers."""
        if self._lives:
            return
        until = time.monotonic() + self._timeout
        with self._console.allow("no-serial-shell"):
            while not self._knock(until):
                self._console.wait(_TRY_AGAIN)
        prompt = f"gk{secrets.token_hex(2)}# "
        play(settle(prompt, self._timeout), self._console)
        self._prompt, self._boots = prompt, len(self._console.boots)

    @property
    def _lives(self) -> bool:
        """Whether the shell that was opened is still there: a reboot ends it."""
        return bool(self._prompt) and self._boots == len(self._console.boots)

    def _knock(self, until: float) -> bool:
        """Type a key and return whether a shell answers; raises as ``open`` does, once the time is over.

        A shell that is just being left takes a key with it, and no answer comes to that one.
        """
        left = until - time.monotonic()
        try:
            answer = play(wake(max(0.5, min(_KNOCK, left))), self._console)
        except WaitTimeout:
            if left > _KNOCK:
                return False
            raise
        if answer is None or not answer.text.startswith("could not"):
            return True
        if left > _TRY_AGAIN:
            return False
        raise ServiceMissing(
            "the appliance has no serial shell",
            where=self._console.name,
            hint="add the package github.com/gokrazy/serial-busybox to the instance",
            evidence=answer.text,
        )

    def close(self) -> None:
        """Leave the shell; the next key starts a new one."""
        if self._lives and self._console.attached:
            self._console.send("exit 0\n")
        self._prompt = ""

    def run(self, text: str, *, timeout: float = 30.0) -> tuple[int, str]:
        """Run a command (any text that the shell takes); returns its status and its output, stderr included.

        Raises WaitTimeout when it takes too long, after having interrupted it.
        """
        status, output = self.run_bytes(text, timeout=timeout)
        return status, output.decode("utf-8", "replace")

    def run_bytes(self, text: str, *, timeout: float = 30.0) -> tuple[int, bytes]:
        """Run a command whose output is not text."""
        self.open()
        framed = frame(text, f"gk{secrets.token_hex(4)}")
        for line in framed.typed[:-1]:
            play(enter(line, self._prompt, timeout), self._console)
        start = self._console.mark()
        self._console.skip()
        self._console.send(f"{framed.typed[-1]}\n")
        self._await_end(framed, start, text, timeout)
        return framed.answer(self._console.recording.read(start.offset))

    def check(self, text: str, *, timeout: float = 30.0) -> str:
        """Run a command that must succeed; returns its output. Raises CommandFailed."""
        status, output = self.run(text, timeout=timeout)
        if status != 0:
            raise CommandFailed(
                f"a command on the serial shell ended with status {status}: {text}",
                status=status,
                where=self._console.name,
                evidence=output,
            )
        return output

    def _await_end(self, framed: Frame, start: Mark, text: str, timeout: float) -> None:
        try:
            self._console.wait_for_line(
                rf"{framed.end}$", timeout=timeout, what=f"the end of the command {text!r}", since=start
            )
        except WaitTimeout:
            prompt, self._prompt = self._prompt, ""
            with contextlib.suppress(WaitTimeout):
                play(interrupt(prompt, _RECOVER), self._console)
                self._prompt = prompt
            raise
        # A kernel line may tear the prompt apart; the next command does not depend on having seen this one.
        with contextlib.suppress(WaitTimeout):
            self._console.expect(re.escape(self._prompt), timeout=_RECOVER)

    def __enter__(self) -> SerialShell:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
