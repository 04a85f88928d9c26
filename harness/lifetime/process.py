"""The owner's side of the guard: start a program under it, signal it, learn how it ended."""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.errors import InternalError
from harness.lifetime import guard as guard_program

START_LIMIT = 30.0
"""Seconds for the guard to say that it forked: generous, because hosts can be very busy."""
END_LIMIT = 15.0
STDERR_KEPT = 64 * 1024
"""Bytes of a program's output that are kept: the last ones, where the reason stands."""


@dataclass(frozen=True)
class Exit:
    """How a process ended: an exit status, or the signal that killed it."""

    code: int | None
    signal: int | None
    stderr: str

    def __str__(self) -> str:
        if self.signal is None:
            return f"exit status {self.code}"
        try:
            return f"signal {signal.Signals(self.signal).name}"
        except ValueError:
            return f"signal {self.signal}"


class Inheritable(Protocol):
    """A socket or a file that a program may inherit."""

    def fileno(self) -> int:
        """Its descriptor."""

    def close(self) -> None:
        """Close it here."""


class GuardedProcess:
    """A program that dies with this process; made by ``Guard.spawn``."""

    def __init__(self, guard: Guard, number: int, argv: tuple[str, ...], stderr: int) -> None:
        self.argv = argv
        self.pid = 0
        self._guard = guard
        self._number = number
        self._stderr_fd = stderr
        self._stderr = bytearray()
        self._started = threading.Event()
        self._ended = threading.Event()
        self._exit: Exit | None = None
        self._callbacks: list[Callable[[Exit], None]] = []
        self._lock = threading.Lock()

    @property
    def stderr(self) -> str:
        """What the program printed so far (its last 64 KiB)."""
        return bytes(self._stderr).decode(errors="replace").strip()

    @property
    def exit(self) -> Exit | None:
        """How it ended, or None while it runs."""
        return self._exit

    def wait(self, timeout: float | None = None) -> Exit | None:
        """Wait ``timeout`` seconds for the end (None: for ever); None when it still runs."""
        self._ended.wait(timeout)
        return self._exit

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, through the guard, which alone knows that the process number is still its own."""
        if self._exit is None:
            self._guard.order({"id": self._number, "do": "signal", "signal": int(number)})

    def on_exit(self, callback: Callable[[Exit], None]) -> None:
        """Call ``callback`` once when it ended, from the guard's reader: it must not block."""
        with self._lock:
            if self._exit is None:
                self._callbacks.append(callback)
                return
        callback(self._exit)

    def _ended_with(self, exit_: Exit) -> None:
        with self._lock:
            self._exit = exit_
            callbacks, self._callbacks = self._callbacks, []
        self._started.set()
        self._ended.set()
        for callback in callbacks:
            callback(exit_)


class Guard:
    """A guard process and the programs it runs for us; ``close`` ends them all and removes ``folders``."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._numbers = itertools.count(1)
        self._running: dict[int, GuardedProcess] = {}
        self._lock = threading.Lock()
        self._closing = False
        self._error = ""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            program = [sys.executable, "-I", "-S", str(Path(guard_program.__file__).resolve())]
            self._process = subprocess.Popen(
                [*program, str(theirs.fileno()), str(os.getpid()), *map(str, folders)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        self._reader = threading.Thread(target=self._read, name="guard-reader", daemon=True)
        self._reader.start()

    @property
    def closing(self) -> bool:
        """Whether ``close`` was called: what ends now was meant to end."""
        return self._closing

    @property
    def pid(self) -> int:
        """The process number of the guard itself."""
        return self._process.pid

    def spawn(self, argv: Sequence[str], files: Sequence[Inheritable] = ()) -> GuardedProcess:
        """Start a program; ``files`` become its descriptors 3, 4, ... and are closed here.

        The program's absence shows as exit status 127 with the reason in ``stderr``. Raises InternalError when
        the guard is gone.
        """
        number = next(self._numbers)
        read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(write, True)
        process = GuardedProcess(self, number, tuple(argv), read)
        with self._lock:
            self._running[number] = process
        try:
            order = {"id": number, "do": "start", "argv": list(argv)}
            self.order(order, [write, *(file.fileno() for file in files)])
        finally:
            os.close(write)
            for file in files:
                file.close()
        if not process._started.wait(START_LIMIT):
            raise InternalError(f"the guard did not start {argv[0]} within {START_LIMIT:.0f} s")
        if self._error and not process.pid:
            raise InternalError("the guard process failed", evidence=self._error)
        return process

    def order(self, order: dict[str, object], fds: Sequence[int] = ()) -> None:
        """Send one order with file descriptors; raises InternalError when the guard is gone."""
        try:
            socket.send_fds(self._control, [json.dumps(order).encode()], list(fds))
        except OSError as error:
            raise InternalError(f"the guard process is gone: {error}", evidence=self._error) from error

    def close(self) -> None:
        """End all programs and remove the folders; returns when that is done."""
        if self._closing:
            return
        self._closing = True
        self._control.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(END_LIMIT)
        except subprocess.TimeoutExpired:
            # Its children go with it (PR_SET_PDEATHSIG); the folders are found at the next start.
            self._process.kill()
            self._process.wait()
        self._reader.join(END_LIMIT)
        self._control.close()

    def _read(self) -> None:
        """Dispatch what the guard says and collect what the programs print, until the guard is gone."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        outputs: dict[int, GuardedProcess] = {}
        try:
            while True:
                for fd, _ in poll.poll():
                    if fd in outputs:
                        if not _drain(outputs[fd]):
                            poll.unregister(fd)
                            del outputs[fd]
                    elif not self._dispatch(poll, outputs):
                        return
        finally:
            with self._lock:
                left, self._running = dict(self._running), {}
            for process in left.values():
                _drain(process)
                os.close(process._stderr_fd)
                process._ended_with(Exit(None, int(signal.SIGKILL), process.stderr))

    def _dispatch(self, poll: select.poll, outputs: dict[int, GuardedProcess]) -> bool:
        """Take one packet from the guard; False when it is gone."""
        try:
            packet = self._control.recv(guard_program.PACKET)
        except OSError:
            return False
        if not packet:
            return False
        message = json.loads(packet)
        if "error" in message:
            self._error = message["error"]
            return True
        with self._lock:
            process = self._running[message["id"]]
        if "pid" in message:
            process.pid = message["pid"]
            outputs[process._stderr_fd] = process
            poll.register(process._stderr_fd, select.POLLIN)
            process._started.set()
        else:
            with self._lock:
                del self._running[message["id"]]
            _drain(process)
            if outputs.pop(process._stderr_fd, None):
                poll.unregister(process._stderr_fd)
            os.close(process._stderr_fd)
            status = message["exit"]
            code, number = (status, None) if status >= 0 else (None, -status)
            process._ended_with(Exit(code, number, process.stderr))
        return True


def _drain(process: GuardedProcess) -> bool:
    """Read what is there of a program's output; False at its end."""
    while True:
        try:
            data = os.read(process._stderr_fd, 65536)
        except BlockingIOError:
            return True
        if not data:
            return False
        process._stderr += data
        del process._stderr[:-STDERR_KEPT]
