"""Core: what every part of an appliance stands on: its image, board, console, power and web interface."""

from __future__ import annotations

from harness.appliance.abilities import missing
from harness.appliance.assembly import Assembly
from harness.appliance.console_link import ConsoleLink
from harness.appliance.time_line import TimeLine
from harness.appliance.witness import Witness
from harness.console.console import Console
from harness.errors import OptionError
from harness.gokrazy.client import Device
from harness.gokrazy.transport import READ
from harness.image.model import Image
from harness.machine.ports import Port


class Core:
    """An image, a board, and the machine that runs the image.

    The parts of an appliance derive from it, and from each other where one needs another. Each constructor takes
    the whole assembly, passes it on, and keeps what its own part needs.
    """

    is_emulated = True
    """Whether a machine of this host plays it; else it is a real device."""

    def __init__(self, made: Assembly) -> None:
        self.image = made.image
        """The image that it started with, and whose partition table its disk has."""
        self.board = made.board
        self._equipment = made.equipment
        self.budget = made.budget
        """The limits of all waits, in seconds, for this board and accelerator."""
        self.folder = made.folder
        """Where this appliance's logs go."""
        self.no_key = made.access.no_key
        """Why nobody here can enter breakglass on it, "" when a key is known that can."""
        self.console = Console(
            made.folder,
            name=made.title,
            allow=made.allow,
            table=made.table,
            in_many_threads=lambda: self.power.in_many_threads,
        )
        """Its serial console."""
        self.time_line = TimeLine()
        """What happened to it, for the report; a scenario may add a note of its own."""
        self._witness = Witness(self.time_line)
        self._link = ConsoleLink(self.console, self._witness)
        self.power = made.power(self._link)
        """The machine's switch, and the ports of this host that lead to the appliance's."""
        if self.power.recorder is not None:
            self.power.recorder.began_at = self._link.began_at
        self.console.when_halted(self.power.halted)
        self.console.when_init_runs(self.power.init_runs)
        self.console.when_listening(self.power.listens)
        self._voice_of = made.voice_of
        self._web = _web_of(made.image)
        self._device: Device | None = None
        self._now_runs(made.image)

    # -- what it can do

    def can(self, ability: str) -> bool:
        """Whether the image that runs has what a scenario needs; ``missing`` says what it lacks."""
        return not self.missing(ability)

    def missing(self, ability: str) -> str:
        """Return what the image that runs lacks for this ability here, and why; "" when it has all."""
        return missing(self.running, ability, voice=self.voice, no_key=self.no_key, board=self.board)

    def _now_runs(self, image: Image) -> None:
        """Go on with the password and the console of this image, which runs now or boots next."""
        self.running = image
        """The image that runs: the last one that was installed, or that of a checkpoint."""
        self.voice = self._voice_of(image)
        """Who is heard on its serial port."""
        self.time_line.keep_secret(image.password)
        self.console.hears(kernel=self.voice.kernel, why=self.voice.why)
        if (web := _web_of(image)) != self._web:
            self._web = web
            self._forget_device()

    # -- its web interface

    @property
    def device(self) -> Device:
        """Its web interface."""
        if self._device is None:
            self._device = self.device_with_password(self.running.password)
        return self._device

    def device_with_password(self, password: str | None) -> Device:
        """Return its web interface as somebody sees it who knows this password."""
        self.time_line.keep_secret(password)
        device = Device(
            self.url(self.running.http_port),
            password=password,
            verify=False,
            check=self.check,
            https_url=self.url(self.running.https_port, scheme="https"),
            patience=max(READ, self.budget.answer),
        )
        device.report_to(self._witness.web)
        if self._device is not None and self._device.speaks_tls:
            device.over_tls()
        return device

    def _forget_device(self) -> None:
        """Drop the connections, and the ports, which a new QEMU may have changed."""
        if self._device is not None:
            self._device.close()
        self._device = None

    def port(self, port: int | str) -> int:
        """The port of 127.0.0.1 that leads to this one of the appliance: 8080, or "53/udp".

        It may be another one after the appliance was switched off and on. Raises OptionError for a port that is
        not forwarded.
        """
        wanted = Port.parse(port)
        forwards = self._equipment.forwards
        if wanted not in forwards:
            raise OptionError(
                f"port {wanted} of the appliance is not forwarded to this host",
                hint=f"give --gk-forward {wanted} (ini: gk_forward); forwarded: {', '.join(map(str, forwards))}",
            )
        if wanted not in self.power.ports:
            raise OptionError(
                f"port {wanted} leads nowhere yet: the appliance was not switched on",
                hint="power_on() comes first",
            )
        return self.power.ports[wanted]

    def url(self, port: int | str, path: str = "", *, scheme: str = "http") -> str:
        """Where to reach what listens on a forwarded port of the appliance; raises as ``port`` does."""
        return f"{scheme}://127.0.0.1:{self.port(port)}{path}"

    # -- whether it is well

    def check(self) -> None:
        """Raise what is known to be wrong: QEMU itself first, then what the console showed."""
        self.power.check()
        self.console.check()

    def close(self) -> None:
        """Switch it off hard, and let go of everything."""
        self._forget_device()
        self.power.off()
        self.console.close()


def _web_of(image: Image) -> tuple[str | None, int, int]:
    """How its web interface is reached: with which password, and at which ports."""
    return image.password, image.http_port, image.https_port
