"""ConsoleLink: between a machine and its console: the socket of each QEMU process, and the machine's events."""

from __future__ import annotations

import socket

from harness.console.console import Console
from harness.console.phases import Boot, Cause
from harness.errors import HarnessError
from harness.machine.power import News, PowerOn


class ConsoleLink:
    """Connects a machine's console and events to a Console: what each QEMU process begins, and how it ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.next = Cause.POWER_ON
        """What the next QEMU process is started for."""
        self.boot: Boot | None = None
        """The captured boot in which a restored machine goes on."""

    def on_console(self, sock: socket.socket) -> None:
        """A QEMU process is there, standing still."""
        self._console.detach()
        self._console.attach(sock, reason=self.next, boot=self.boot)
        # Whatever comes next by itself is a reset; everything else is asked for.
        self.next, self.boot = Cause.RESET, None

    def listener(self, news: News) -> None:
        """Something happened to the machine."""
        if isinstance(news, PowerOn):
            if news.cause in ("power-on", "power-cycle"):
                self._console.powered_on()
            elif not news.new_process:
                self._console.was_reset()
        elif isinstance(news, HarnessError):
            self._console.abort(news)
