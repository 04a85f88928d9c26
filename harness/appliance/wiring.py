"""Between a machine and those who talk to it: its console's socket, its events, its ports."""

from __future__ import annotations

import socket
from dataclasses import replace

from harness.console.console import Console
from harness.console.phases import Boot, Cause
from harness.errors import HarnessError
from harness.image.model import Image
from harness.machine.equipment import Equipment
from harness.machine.ports import Port
from harness.machine.power import News, PowerOn
from harness.options import Settings
from harness.package_data import images_folder


class Wiring:
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


def equipment(settings: Settings, image: Image) -> Equipment:
    """What the machines of this image are to be beyond their board; the image's own ways in come first."""
    ways_in = [image.http_port, image.https_port]
    if image.breakglass is not None:
        ways_in.append(image.breakglass.port)
    own = own_ports() if settings.is_own else ()
    asked = settings.equipment
    return replace(asked, forwards=tuple(dict.fromkeys([*map(Port, ways_in), *asked.forwards, *own])))


def own_ports() -> tuple[Port, ...]:
    """What the programs of the project's own images listen on, as the file beside them says."""
    lines = (images_folder() / "ports.txt").read_text("utf-8").splitlines()
    return tuple(Port.parse(line) for line in lines if line and not line.startswith("#"))
