"""The console as pexpect reads it: ``fdspawn`` on a pipe that never blocks its writer and never loses a byte.

A pipe is small, so the bytes that nobody expects yet wait in the recording on disk. Whoever comes by moves on as
many as fit: the reader after each chunk, the one who expects before each look.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import time
from collections.abc import Callable, Sequence
from io import StringIO
from threading import Lock
from typing import TYPE_CHECKING

from pexpect import EOF, TIMEOUT
from pexpect.fdpexpect import fdspawn

from harness.console.match import Match
from harness.console.recording import Recording
from harness.errors import InternalError

if TYPE_CHECKING:
    _FdSpawn = fdspawn[str]
else:
    _FdSpawn = fdspawn

LONGEST_MATCH = 4096
"""Characters that a match may span. pexpect searches this much again with each chunk, not all that was read."""

_CHUNK = 65536


class _Searcher:
    """Finds the first of several patterns; ``longest_string`` is what makes pexpect keep no more than that."""

    longest_string = LONGEST_MATCH
    eof_index = -1
    timeout_index = -1

    def __init__(self, patterns: Sequence[re.Pattern[str]]) -> None:
        self._patterns = patterns
        self.match: re.Match[str] | None = None
        self.start = self.end = 0

    def search(self, text: str, _fresh: int, _window: int | None = None) -> int:
        """Return the index of the pattern that matches earliest in the text, -1 for none."""
        found = -1
        for index, pattern in enumerate(self._patterns):
            match = pattern.search(text)
            if match is not None and (found < 0 or match.start() < self.start):
                found, self.match, self.start, self.end = index, match, match.start(), match.end()
        return found


class _Spawn(_FdSpawn):
    """fdspawn that asks for more bytes, and whether to go on at all, before it waits for them."""

    def __init__(self, pipe: int, wake: int, pump: Callable[[], None]) -> None:
        super().__init__(pipe, encoding="utf-8", codec_errors="replace", maxread=_CHUNK)
        self.delayafterread = None
        self._wake = wake
        self._pump = pump
        self.before_wait: Callable[[], None] = lambda: None

    def forget(self) -> None:
        """Drop what was read and not matched; pexpect keeps it in two places."""
        self.buffer = ""
        self._before = StringIO()

    def read_nonblocking(self, size: int = 1, timeout: float | None = -1) -> str:
        """Wait for bytes; ends at once with what ``before_wait`` raises."""
        until = None if timeout is None else time.monotonic() + max(0.0, timeout)
        poll = select.poll()
        poll.register(self.child_fd, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            self.before_wait()
            self._pump()
            left = None if until is None else max(0.0, until - time.monotonic())
            ready = {file for file, _ in poll.poll(None if left is None else left * 1000)}
            if self._wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, _CHUNK)
            elif self.child_fd in ready:
                return super().read_nonblocking(size, 0)
            elif left is not None and left <= 0:
                raise TIMEOUT("Timeout exceeded.")


class Feed:
    """Bytes of a recording, from a position on, for one who expects."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._lock = Lock()
        self.expecting = Lock()
        """Held while a thread expects."""
        self._from = recording.size
        self._out, self._in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._wake_out, self._wake_in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.spawn = _Spawn(self._out, self._wake_out, self.pump)

    def pump(self) -> None:
        """Move recorded bytes into the pipe, as many as fit; never blocks."""
        with self._lock:
            while self._in >= 0 and self._from < self._recording.size:
                data = self._recording.read(self._from, _CHUNK)
                try:
                    self._from += os.write(self._in, data)
                except BlockingIOError:
                    return

    def wake(self) -> None:
        """Make whoever expects look up."""
        with self._lock, contextlib.suppress(BlockingIOError):
            if self._wake_in >= 0:
                os.write(self._wake_in, b".")

    def skip(self) -> None:
        """Forget everything that came so far: the next match lies after this moment."""
        with self._lock:
            self._from = self._recording.size
            with contextlib.suppress(BlockingIOError):
                while os.read(self._out, _CHUNK):
                    pass
            self.spawn.forget()

    def expect(
        self, patterns: Sequence[re.Pattern[str]], timeout: float, before_wait: Callable[[], None]
    ) -> Match:
        """Return the first match within ``timeout`` seconds; raises TimeoutError, and what ``before_wait`` raises.

        One thread may expect at a time: InternalError for a second one.
        """
        awaited = " or ".join(repr(one.pattern) for one in patterns)
        if not self.expecting.acquire(blocking=False):
            raise InternalError("two threads expect on one console", where=awaited)
        try:
            self.spawn.before_wait = before_wait
            before_wait()
            index: int = self.spawn.expect_loop(_Searcher(patterns), timeout)  # type: ignore[arg-type]
            match, before = self.spawn.match, self.spawn.before or ""
        except TIMEOUT:
            raise TimeoutError from None
        except EOF:
            raise InternalError("the console was closed under one who expects", where=awaited) from None
        finally:
            self.expecting.release()
        if not isinstance(match, re.Match):
            raise InternalError("pexpect returned no match", where=awaited)
        return Match(index, match, before)

    def close(self) -> None:
        """Close both pipes; a second call does nothing."""
        with self._lock:
            for file in (self._in, self._out, self._wake_in, self._wake_out):
                if file >= 0:
                    os.close(file)
            self._in = self._out = self._wake_in = self._wake_out = -1
            self.spawn.child_fd = -1
