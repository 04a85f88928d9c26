"""QMP for code that waits in threads: one event loop thread for all machines of a process, a plain call each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Any, TypeVar

from qemu.qmp import ConnectError, ExecInterruptedError, ExecuteError, QMPClient, QMPError, Runstate

from harness.errors import QemuFailed, QmpSilent

T = TypeVar("T")

COMMAND_LIMIT = 30.0
"""Seconds for QEMU to answer a command; it answers in milliseconds unless the host is drowning."""
CONNECT_LIMIT = 60.0
"""Seconds for QEMU to start and greet: it allocates the guest's memory and reads firmware first."""

# Every connection that ends with its QEMU is an "error" to the library's log; here it is an event like others.
logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Event:
    """Something that QEMU reported; ``at`` is ``time.monotonic()`` here when it arrived."""

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)
    at: float = field(default_factory=time.monotonic)


class QmpRefused(QemuFailed):
    """QEMU answered a command with an error; ``reason`` is its own text."""

    def __init__(self, what: str, *, reason: str) -> None:
        super().__init__(what, evidence=reason)
        self.reason = reason


class LoopThread:
    """An asyncio event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="qmp-loop", daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine in the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Stop the loop and its thread."""
        if self._loop.is_closed():
            return
        with contextlib.suppress(FutureTimeout):
            self.submit(self._cancel_all()).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    @staticmethod
    async def _cancel_all() -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Qmp:
    """A QMP connection over a connected socket.

    ``on_event`` is called in the loop's thread for each event and must not block; ``on_end`` once, after the last
    event, when the connection is over.
    """

    def __init__(
        self,
        loop: LoopThread,
        connection: socket.socket,
        *,
        name: str,
        on_event: Callable[[Event], None],
        on_end: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._connection = connection
        self._name = name
        self._on_event = on_event
        self._on_end = on_end
        self._client = QMPClient(name)
        self._pump: Future[None] | None = None

    def connect(self, timeout: float = CONNECT_LIMIT) -> None:
        """Take the greeting within ``timeout`` seconds; raises QmpSilent, or QemuFailed when QEMU ends."""
        self._connection.setblocking(False)
        try:
            self._wait(self._client.connect(self._connection), timeout, "greet over QMP")
        except ConnectError as error:
            self._connection.close()
            raise QemuFailed(
                f"{self._name}: QEMU ended before it greeted over QMP", evidence=str(error)
            ) from error
        self._pump = self._loop.submit(self._dispatch())

    def execute(
        self,
        command: str,
        arguments: Mapping[str, object] | None = None,
        *,
        timeout: float = COMMAND_LIMIT,
        descriptor: int | None = None,
    ) -> Any:
        """Run a command and return its answer; raises QmpRefused (its error), QmpSilent, or QemuFailed (gone).

        ``getfd`` and ``add-fd`` take a copy of a ``descriptor``, which QEMU is sent before.
        """

        async def run() -> Any:
            if descriptor is not None:
                self._client.send_fd_scm(descriptor)
            return await self._client.execute(command, dict(arguments) if arguments else None)

        try:
            return self._wait(run(), timeout, f"answer the QMP command {command}")
        except ExecuteError as error:
            reason = error.error.error.desc
            raise QmpRefused(f"{self._name}: QEMU refused {command}: {reason}", reason=reason) from error
        except (ExecInterruptedError, QMPError, BrokenPipeError) as error:
            raise QemuFailed(f"{self._name}: QEMU was gone before it answered {command}") from error

    def hmp(self, line: str) -> str:
        """Run a command of the human monitor and return what it prints."""
        return str(self.execute("human-monitor-command", {"command-line": line}))

    def close(self) -> None:
        """Close the connection; events that arrived are still delivered, then ``on_end`` is called."""
        with contextlib.suppress(FutureTimeout):
            self._loop.submit(self._disconnect()).result(5)
        if self._pump is not None:
            with contextlib.suppress(FutureTimeout):
                self._pump.result(5)

    async def _disconnect(self) -> None:
        # What ended the connection is of no interest any more: QEMU's exit says enough.
        with contextlib.suppress(Exception):
            await self._client.disconnect()

    def _wait(self, work: Coroutine[Any, Any, T], timeout: float, what: str) -> T:
        future = self._loop.submit(work)
        try:
            return future.result(timeout)
        except FutureTimeout as error:
            future.cancel()
            raise QmpSilent(
                f"{self._name}: QEMU is there, but did not {what} within {timeout:.3g} s",
                hint="is it stopped, or does this machine swap, or wait for a disk?",
            ) from error

    async def _dispatch(self) -> None:
        """Hand events over until the connection ends, then those that are still queued."""
        client = self._client
        try:
            over = asyncio.ensure_future(self._over())
            while not over.done():
                event = asyncio.ensure_future(client.events.get())
                await asyncio.wait((event, over), return_when=asyncio.FIRST_COMPLETED)
                if event.done():
                    self._deliver(event.result())
                else:
                    event.cancel()
            await self._disconnect()
            for message in client.events.clear():
                self._deliver(message)
        finally:
            self._on_end()

    async def _over(self) -> None:
        while self._client.runstate == Runstate.RUNNING:
            await self._client.runstate_changed()

    def _deliver(self, message: Mapping[str, Any]) -> None:
        self._on_event(Event(message["event"], message.get("data", {})))
