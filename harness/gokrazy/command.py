"""One command on a device over SSH, from its start to its last byte."""

from __future__ import annotations

import contextlib
import re
import secrets
import selectors
import threading
from collections.abc import Callable
from dataclasses import dataclass

import paramiko

from harness.errors import CommandFailed, WaitTimeout
from harness.gokrazy.ssh import Connection, hang_up, lost
from harness.gokrazy.transport import excerpt
from harness.gokrazy.waiting import Deadline

KILLED = 0xFFFFFFFF
"""What breakglass reports for a command that a signal ended (Go's WaitStatus.ExitStatus gives -1 then)."""
OUTPUT_LIMIT = 64 << 20
"""Bytes that a command may print on each stream."""
CHUNK = 64 << 10


@dataclass(frozen=True)
class Result:
    """What a command on the device did."""

    command: str
    status: int
    """Its exit status; -1 if a signal ended it (128 + signal where it ran within a shell)."""
    stdout: bytes
    stderr: bytes
    seconds: float
    complete: bool
    """Whether all that it printed is known to have arrived."""

    @property
    def text(self) -> str:
        """Its standard output as UTF-8, without the last line's end."""
        return self.stdout.decode("utf-8", "replace").removesuffix("\n")

    @property
    def error_text(self) -> str:
        """Its standard error as UTF-8, without the last line's end."""
        return self.stderr.decode("utf-8", "replace").removesuffix("\n")


class Wrapped:
    """A command within words of shell that print a mark on both streams and then stay until they may go.

    breakglass (ssh.go) waits for the command while it still copies its output, and the wait closes the pipes:
    what was not copied by then is lost. Waiting for end of file on standard input keeps the pipes open until the
    marks, hence everything before them, have arrived.
    """

    def __init__(self, command: str, stdin: int) -> None:
        self.mark = secrets.token_hex(8).encode()
        mark = self.mark.decode()
        feed, rest = (f"head -c {stdin} | (", ")") if stdin else ("(", ") </dev/null")
        self.line = (
            f"{feed} {command}\n{rest}; gk=$?; printf '{mark}:%d:' $gk; printf '{mark}:' >&2; "
            "cat >/dev/null 2>&1 || while read -r gk; do :; done"
        )

    def arrived(self, out: bytearray, err: bytearray) -> bool:
        """Whether both marks have come."""
        return self._status(out) is not None and self.mark + b":" in err[-CHUNK * 2 :]

    def unwrap(self, out: bytearray, err: bytearray) -> tuple[int, bytes, bytes] | None:
        """Status and both streams as the command alone gave them; None where the marks never came."""
        status = self._status(out)
        end = err.rfind(self.mark)
        if status is None or end < 0:
            return None
        return status, bytes(out[: out.rfind(self.mark)]), bytes(err[:end])

    def _status(self, out: bytearray) -> int | None:
        found = re.search(self.mark + rb":(\d+):", out[-CHUNK * 2 :])
        return int(found.group(1)) if found else None


class Running:
    """A command that was started."""

    def __init__(
        self,
        command: str,
        connection: Connection,
        channel: paramiko.Channel,
        deadline: Deadline,
        check: Callable[[], None],
    ) -> None:
        self.command = command
        self.channel = channel
        self._connection = connection
        self._deadline = deadline
        self._check = check
        self._out = bytearray()
        self._err = bytearray()

    def finish(self, stdin: bytes, wrapped: Wrapped | None) -> Result:
        """Feed it, take what it prints, wait for its end; raises WaitTimeout, DeviceUnreachable, CommandFailed."""
        where = str(self._connection.address)
        feeder = threading.Thread(
            target=_feed, args=(self.channel, stdin, wrapped is None), name="ssh stdin", daemon=True
        )
        feeder.start()
        released = wrapped is None
        with selectors.DefaultSelector() as selector:
            selector.register(self.channel.fileno(), selectors.EVENT_READ)
            while True:
                ended = self.channel.closed or (self.channel.eof_received and self.channel.exit_status_ready())
                self._drain()
                if ended:
                    break
                if wrapped and not released and wrapped.arrived(self._out, self._err):
                    released = True
                    _end_input(self.channel)
                self._check()
                if max(len(self._out), len(self._err)) > OUTPUT_LIMIT:
                    raise CommandFailed(
                        f"{self.command!r} prints more than {OUTPUT_LIMIT >> 20} MiB",
                        status=-1,
                        where=where,
                        hint="write it to a file on the device and fetch that",
                    )
                if self._deadline.over:
                    said = (bytes(self._out[-CHUNK:]) + bytes(self._err[-CHUNK:])).decode("utf-8", "replace")
                    raise WaitTimeout(
                        f"waited {self._deadline.limit:g} s for {self.command!r} to end on the device",
                        where=where,
                        hint="it may still run: look at what it waits for, or give it more time (timeout=)",
                        evidence=excerpt(said) or "(it said nothing)",
                    )
                selector.select(self._deadline.slice(1.0))
        hang_up(self.channel)
        feeder.join(5)
        seconds = self._deadline.elapsed
        if wrapped and (plain := wrapped.unwrap(self._out, self._err)):
            return Result(self.command, *plain, seconds, complete=True)
        status = self.channel.exit_status
        if status == -1:  # paramiko's word for: none came
            self._check()
            raise lost(self._connection.address, f"run {self.command!r}")
        status = -1 if status == KILLED else status
        return Result(self.command, status, bytes(self._out), bytes(self._err), seconds, complete=False)

    def _drain(self) -> None:
        while self.channel.recv_ready():
            self._out += self.channel.recv(CHUNK)
        while self.channel.recv_stderr_ready():
            self._err += self.channel.recv_stderr(CHUNK)


def _feed(channel: paramiko.Channel, stdin: bytes, then_end: bool) -> None:
    """Send what the command is to read; a command that ends without reading is no error."""
    with contextlib.suppress(paramiko.SSHException, OSError, EOFError):
        if stdin:
            channel.sendall(stdin)
    if then_end:
        _end_input(channel)


def _end_input(channel: paramiko.Channel) -> None:
    with contextlib.suppress(paramiko.SSHException, OSError, EOFError):
        channel.shutdown_write()
