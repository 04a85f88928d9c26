"""ConsoleLink: between a machine and its console: the socket of each QEMU process, and the machine's events."""

from __future__ import annotations

from harness.appliance.witness import Witness
from harness.console.console import Console
from harness.console.phases import Boot, Cause
from harness.console.reader import Stream
from harness.errors import HarnessError
from harness.machine.ending import Ended
from harness.machine.power import PowerEvent, PowerOn

_BY_HOST = "host-"
"""How QEMU's words for a reset begin that came by QMP."""


class ConsoleLink:
    """Attaches the console of each QEMU process, and reports to it what happens to the machine.

    The witness gets to know of the machine as well.
    """

    def __init__(self, console: Console, witness: Witness) -> None:
        self._console = console
        self._witness = witness
        self.next = Cause.POWER_ON
        """Why the next QEMU process is started."""
        self.boot: Boot | None = None
        """The boot that a restored machine continues."""
        self.began_at: list[int] = []
        """Where in the console each QEMU process began, in bytes."""
        self._by_host = False
        """Whether the harness wanted the reset that ended the last QEMU process."""

    def on_console(self, sock: Stream) -> None:
        """A QEMU process is there, and its machine is paused."""
        self._console.detach()
        self.began_at.append(self._console.recording.size)
        self._console.attach(sock, reason=self.next, boot=self.boot, by_host=self._by_host)
        # What comes next without being asked for is a reset.
        self.next, self.boot, self._by_host = Cause.RESET, None, False

    def let_go(self) -> None:
        """Nothing is attached any more."""
        self._console.detach()

    def line_lost(self, error: HarnessError) -> None:
        """What the console came by is gone: every wait ends with this error."""
        self._console.abort(error)

    def listener(self, news: PowerEvent) -> None:
        """Something happened to the machine."""
        self._witness.machine(news)
        if isinstance(news, PowerOn):
            if news.switched_on:
                self._console.powered_on()
            elif not news.new_process:
                self._console.was_reset(by_host=news.cause.startswith(_BY_HOST))
        elif isinstance(news, Ended):
            self._by_host = news.reason.startswith(_BY_HOST)
        elif isinstance(news, HarnessError):
            self._console.abort(news)
