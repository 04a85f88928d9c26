"""Playback: one recorded execution that runs again, while what it says is compared with what it said then."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from harness.console.reader import Reader
from harness.errors import QemuFailed
from harness.machine.machine import Machine

LOOK = 2.0
"""Seconds between two looks at how far it is."""
LAST_WORDS = 30.0
"""Seconds for what it has said to arrive here."""
STANDS_STILL = 180.0
"""Seconds without a further instruction after which it goes on no more: a guest at rest wakes each second."""
HIDDEN = ord("*")
"""What stands in the logs of a bundle for each byte of a secret."""
BETWEEN_PLACES = 10.0
"""Seconds after which gdb gets another place to go back to; a step back runs on from the one before."""
SAVE_LIMIT = 300.0
"""Seconds for QEMU to write such a place, memory and all."""
AROUND = 200
"""Bytes of the console that an error shows before and after the place where it differs."""


class Heard:
    """What it says, beside ``then``, what it said when it was recorded; ``show`` gets each piece as it comes."""

    def __init__(self, then: bytes, show: Callable[[bytes], None]) -> None:
        self.then = then
        self.data = bytearray()
        self.differs_at: int | None = None
        """The first byte that is another one than then."""
        self.is_over = False
        self._show = show
        self._failure: Exception | None = None
        self._reader: Reader | None = None
        self._news = threading.Condition()

    def listen(self, sock: socket.socket) -> None:
        """Read this console from now on."""
        self._reader = Reader(
            sock, on_data=self.take, on_tick=lambda: None, on_end=self._over, on_failure=self._failed
        )
        self._reader.start()

    def close(self) -> None:
        """Read what is left and let go of the console."""
        if self._reader is not None:
            self._reader.stop()

    def take(self, data: bytes) -> None:
        """It said this."""
        with self._news:
            start = len(self.data)
            self.data += data
            if self.differs_at is None:
                self.differs_at = _differs(data, self.then[start : start + len(data)], start)
            self._news.notify_all()
        self._show(data)

    def wait(self, size: int | None, timeout: float) -> bool:
        """Wait until it has said so many bytes, all where None; False after ``timeout`` seconds.

        Raises what went wrong here, and QemuFailed when it says something else than then.
        """
        with self._news:

            def there() -> bool:
                enough = self.is_over or (size is not None and len(self.data) >= size)
                return enough or self.differs_at is not None or self._failure is not None

            found = self._news.wait_for(there, timeout)
        if self._failure is not None:
            raise self._failure
        if self.differs_at is not None:
            raise self.another()
        return found

    def another(self) -> QemuFailed:
        """The error for a machine that goes another way than then."""
        at = min(len(self.data), len(self.then)) if self.differs_at is None else self.differs_at
        around = slice(max(0, at - AROUND), at + AROUND)
        then, now = (bytes(text[around]).decode(errors="replace") for text in (self.then, self.data))
        return QemuFailed(
            f"this machine goes another way than then: at byte {at} of {len(self.then)} of its console",
            hint="the recording is of another QEMU, image or disk; or QEMU does not record all of what happened",
            evidence=f"then: ...{then}\n\nnow:  ...{now}",
        )

    def _over(self) -> None:
        with self._news:
            self.is_over = True
            self._news.notify_all()

    def _failed(self, error: Exception) -> None:
        with self._news:
            self._failure = error
            self._news.notify_all()


class Playback:
    """The machine of one execution, from ``run`` to ``close``."""

    def __init__(self, machine: Machine, heard: Heard) -> None:
        self.machine = machine
        self.heard = heard
        log = machine.launch.log
        self.steps_back = log is not None and bool(log.begin)
        """Whether gdb can go back: to places on the way, from where the machine runs on."""
        self._numbers = itertools.count(1)
        self._kept = time.monotonic()

    def run(self, stop: int | None) -> bool:
        """Run it until it has said so many bytes, and hold it there; to its end where None.

        Returns whether it stands there. Raises QemuFailed where it goes another way than then, or goes on no more.
        """
        self.machine.start_paused()
        self.machine.resume()
        counted, since = -1, time.monotonic()
        while not (arrived := self.heard.wait(stop, LOOK)):
            self.machine.check()
            try:
                runs, now = self.machine.execute("query-status")["running"], self.instruction()
            except QemuFailed:
                if self.machine.wait_exit(LAST_WORDS) is None:
                    raise
                continue
            if not runs:
                # It has no further instruction: the log is over, and what it has said may still be on its way.
                self.heard.wait(len(self.heard.then), LAST_WORDS)
                break
            if now != counted:
                counted, since = now, time.monotonic()
            elif time.monotonic() - since > STANDS_STILL:
                raise QemuFailed(
                    f"this machine goes on no more: for {STANDS_STILL:.0f} s it has stood at instruction {now}",
                    where=self.machine.board.name,
                    evidence=self.machine.stderr(),
                )
            self._keep_place()
        if arrived and stop is not None and len(self.heard.data) >= stop:
            self.machine.pause()
            return True
        self.machine.check()
        if len(self.heard.data) != len(self.heard.then):
            raise self.heard.another()
        return False

    def instruction(self) -> int:
        """How many instructions it has done."""
        return int(self.machine.execute("query-replay")["icount"])

    def let_gdb_in(self, path: Path) -> None:
        """Open QEMU's stub for gdb as this socket."""
        said = self.machine.hmp(f"gdbserver unix:{path},server=on,wait=off")
        if not path.is_socket():
            raise QemuFailed("QEMU opens no stub for gdb", where=str(path), evidence=said)

    def close(self) -> None:
        """End it."""
        self.machine.stop()
        self.heard.close()

    def _keep_place(self) -> None:
        """Keep a place, unless there is one of late; where QEMU refuses, the next look asks again."""
        if self.steps_back and time.monotonic() - self._kept >= BETWEEN_PLACES:
            keep_place(self.machine, f"place{next(self._numbers)}")
            self._kept = time.monotonic()


def keep_place(machine: Machine, name: str) -> str:
    """Save a machine that is replayed into its disk, for gdb to go back to; returns QEMU's error, "" for none.

    The disk itself is named, below the one that is led by the log. A savevm of all disks flushes that one, and
    waits for ever for the log to say when the flush was done.
    """
    since = len(machine.events)
    machine.execute("snapshot-save", {"job-id": name, "tag": name, "vmstate": "disk", "devices": ["disk"]})
    done = machine.wait_event(
        lambda event: event.name == "JOB_STATUS_CHANGE" and event.data["status"] == "concluded",
        SAVE_LIMIT,
        since=since,
    )
    error = next((str(job.get("error", "")) for job in machine.execute("query-jobs") if job["id"] == name), "")
    if done is not None:
        machine.execute("job-dismiss", {"id": name})
    return error or ("" if done is not None else f"not done within {SAVE_LIMIT:.0f} s")


def _differs(now: bytes, then: bytes, start: int) -> int | None:
    """The place of the first byte that differs and is not hidden; more than then is another way as well."""
    if now == then:
        return None
    for at, (one, other) in enumerate(zip(now, then, strict=False)):
        if one != other and other != HIDDEN:
            return start + at
    return start + len(then) if len(now) > len(then) else None
