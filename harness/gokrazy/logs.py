"""A service's log as the device streams it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlencode, urlsplit

from harness.errors import DeviceUnreachable, HarnessError, InternalError, OptionError, WaitTimeout
from harness.gokrazy.transport import CONNECT, Answer, Endpoint, no_answer_of, pinned_context

Stream: TypeAlias = Literal["stdout", "stderr", "both"]

MAX_LINES = 20_000
"""Lines kept; older ones are dropped and counted."""
FIRST = 3.0
"""Seconds in which the first line of a log that is not empty comes, on a busy device."""
KEY_GIVEN = re.compile(r"(?i)(auth_?-?key=)[^\s\"']+")
"""An auth key of a tailnet in a command line or an environment: init logs the command line of each start."""
OUT_OF_ORDER = (
    "an earlier line has it: old lines of stdout and stderr come in no order of time, so open a stream of each"
)
MAX_LINE = 1 << 20
"""Bytes of one line."""


@dataclass(frozen=True)
class LogLine:
    """One line that a service wrote."""

    stream: str
    """stdout or stderr."""
    text: str
    at: float
    """Seconds since the stream was opened, by the reader's clock; the last 100 lines come at once."""

    def __str__(self) -> str:
        return self.text


class LogStream:
    """The lines of one service, read by a thread of its own, so none is missed while nobody looks.

    A device that goes down without closing its connections (a kexec, a power loss) leaves the stream open and
    silent: waits run into their limits then, and a stream is to be opened anew after each restart.

    The device sends no header before the first line (statuslog.go), so an open stream without an answer is normal:
    the reader has no time-out; each wait has. ``http.client`` instead of requests, because only the socket itself
    can be shut down from outside while another thread reads from it.
    """

    def __init__(self, endpoint: Endpoint, path: str, stream: Stream = "both") -> None:
        if stream not in ("stdout", "stderr", "both"):
            raise OptionError(f"there is no log stream {stream!r}", hint="stdout, stderr or both")
        self._endpoint = endpoint
        self._where = f"{endpoint.url}/log?{urlencode({'path': path, 'stream': stream})}"
        self.path = path
        self.stream = stream
        self._start = time.monotonic()
        self._changed = threading.Condition()
        self._lines: list[LogLine] = []
        self._dropped = 0
        self._seen = 0
        self._ended: HarnessError | None = None
        self._closing = False
        self._connection = _open(endpoint)
        self._socket = self._connection.sock
        self._thread = threading.Thread(target=self._read, name=f"log of {path}", daemon=True)
        self._thread.start()

    def __enter__(self) -> LogStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the stream; what was read stays."""
        with self._changed:
            self._closing = True
        with contextlib.suppress(OSError):
            # Of the plain socket: SSLSocket.shutdown would drop the TLS state under the reader's feet.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        self._thread.join(5)
        self._connection.close()
        if self._thread.is_alive():
            raise InternalError("the log reader did not end", where=self._where)

    @property
    def lines(self) -> tuple[LogLine, ...]:
        """What came so far."""
        with self._changed:
            return tuple(self._lines)

    @property
    def dropped(self) -> int:
        """How many old lines were given up."""
        with self._changed:
            return self._dropped

    @property
    def ended(self) -> HarnessError | None:
        """Why no more lines will come, if so."""
        with self._changed:
            return self._ended

    def wait_for(self, pattern: str | re.Pattern[str], timeout: float) -> re.Match[str]:
        """The next line in which ``pattern`` is found, from where the last wait stopped.

        Old lines of stdout and of stderr come in no order of time (statuslog.go): who waits for one of each needs
        a stream of each. Raises WaitTimeout with the last lines, or what ended the stream.
        """
        wanted = re.compile(pattern)
        with self._changed:
            began = self._seen
        for line in self._next_lines(timeout):
            if found := wanted.search(line.text):
                return found
        self._endpoint.raise_cause()
        with self._changed:
            last = "\n".join(line.text for line in self._lines[-10:])
            passed = self._lines[: max(0, began - self._dropped)] if self.stream == "both" else []
        raise WaitTimeout(
            f"waited {timeout:g} s for {wanted.pattern!r} in the log of {self.path}",
            where=self._where,
            evidence=last or "(the log is empty)",
            hint=OUT_OF_ORDER if any(wanted.search(one.text) for one in passed) else "",
        )

    def collect(self, *, quiet: float, limit: float, first: float = FIRST) -> list[LogLine]:
        """What comes until ``quiet`` seconds bring nothing (``first`` at the beginning), at most for ``limit``."""
        end = time.monotonic() + limit
        got: list[LogLine] = []
        with self._changed:
            while time.monotonic() < end:
                if self._ended:
                    break  # the device never ends a stream by itself while it is up
                before = self._seen, self._dropped + len(self._lines)
                got += self._take()
                if not self._changed.wait_for(
                    lambda: self._ended or self._dropped + len(self._lines) > before[1],  # noqa: B023
                    min(quiet if got else first, max(0.0, end - time.monotonic())),
                ):
                    return got
            ended = self._ended
        if ended:
            self._endpoint.raise_cause()
            raise ended
        return got

    def follow(self, limit: float) -> Iterator[LogLine]:
        """The lines as they come, for ``limit`` seconds; raises what ended the stream before that."""
        yield from self._next_lines(limit)

    def _take(self) -> list[LogLine]:
        """Lines nobody has taken yet; call with the condition held."""
        fresh = self._lines[max(0, self._seen - self._dropped) :]
        self._seen = self._dropped + len(self._lines)
        return fresh

    def _next_lines(self, limit: float) -> Iterator[LogLine]:
        end = time.monotonic() + limit
        while True:
            with self._changed:
                index = self._seen - self._dropped
                while not (max(index, 0) < len(self._lines) or self._ended):
                    if not self._changed.wait(max(0.0, end - time.monotonic())) and time.monotonic() >= end:
                        return
                    index = self._seen - self._dropped
                index = max(index, 0)
                if index >= len(self._lines):
                    ended = self._ended
                    assert ended is not None
                    break
                line = self._lines[index]
                self._seen = self._dropped + index + 1
            yield line
            if time.monotonic() >= end:
                return
        self._endpoint.raise_cause()
        raise ended

    def _read(self) -> None:
        try:
            ended = self._read_to_end()
        except (OSError, http.client.HTTPException, ValueError) as error:
            ended = self._endpoint.unreachable(no_answer_of(error), f"GET /log of {self.path}")
        with self._changed:
            if self._closing:
                ended = DeviceUnreachable(f"the log of {self.path} was closed here", where=self._where)
            self._ended = ended
            self._changed.notify_all()

    def _read_to_end(self) -> HarnessError:
        query = urlencode({"path": self.path, "stream": self.stream})
        self._connection.request("GET", f"/log?{query}", headers=_headers(self._endpoint))
        response = self._connection.getresponse()
        if response.status != 200:
            headers = dict(response.getheaders())
            body = response.read(4096)
            return self._endpoint.refused(
                Answer("GET", self._where, response.status, headers, body, time.monotonic() - self._start)
            )
        name: str = self.stream  # for "both", an event line names it before each line
        while True:
            raw = response.readline(MAX_LINE)
            if not raw:
                return DeviceUnreachable(
                    f"the device ended the log stream of {self.path}",
                    where=self._where,
                    hint="it was restarted or switched off; open the log again once it is up",
                )
            line = raw.decode("utf-8", "replace").rstrip("\n")
            if line.startswith("event: "):
                name = line.removeprefix("event: ").strip()
            elif line.startswith("data: "):
                said = KEY_GIVEN.sub(r"\1***", line.removeprefix("data: "))
                self._add(LogLine(name, said, time.monotonic() - self._start))

    def _add(self, line: LogLine) -> None:
        with self._changed:
            self._lines.append(line)
            if len(self._lines) > MAX_LINES:
                drop = len(self._lines) - MAX_LINES
                del self._lines[:drop]
                self._dropped += drop
            self._changed.notify_all()


def _headers(endpoint: Endpoint) -> dict[str, str]:
    headers = {"Accept": "text/event-stream", "User-Agent": "gokharness"}
    if endpoint.password is not None:
        token = base64.b64encode(f"{endpoint.user}:{endpoint.password}".encode()).decode()
        headers["Authorization"] = f"Basic {token}"
    return headers


def _open(endpoint: Endpoint) -> http.client.HTTPConnection:
    """A connected connection without read time-out; raises DeviceUnreachable."""
    parts = urlsplit(endpoint.url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(
            host, parts.port, timeout=CONNECT, context=_context(endpoint.verify)
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=CONNECT)
    try:
        connection.connect()
    except OSError as error:
        endpoint.raise_cause()
        raise endpoint.unreachable(no_answer_of(error), "GET /log") from None
    connection.sock.settimeout(None)
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return connection


def _context(verify: bool | Path) -> ssl.SSLContext:
    if isinstance(verify, Path):
        return pinned_context(verify)
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
