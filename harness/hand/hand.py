"""Hand: the verbs of a machine that a person or a script commands, one at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from harness import boards
from harness.appliance.abilities import NOT
from harness.appliance.appliance import Appliance
from harness.build.instance import load_instance
from harness.build.one_program import Made, build_one
from harness.build.subject import is_image
from harness.errors import OptionError, QemuFailed
from harness.hand.reach import password_place, ways_in
from harness.image.model import Image
from harness.lab.images import fitting
from harness.lab.lab import Lab
from harness.machine.command import nic

Words = Callable[[str], str]
CUT = "the power was cut by hand"


class Hand:
    """One appliance under the hand of somebody; every verb returns what a reader is to know of it.

    ``quit`` is called when somebody has had enough; ``words`` puts options into the words of the command that was
    typed.
    """

    def __init__(
        self,
        lab: Lab,
        appliance: Appliance,
        *,
        name: str,
        quit: Callable[[], None],  # noqa: A002
        words: Words = str,
    ) -> None:
        self.lab = lab
        self.appliance = appliance
        self.name = name
        self.words = words
        self._quit = quit
        self._one = threading.Lock()
        self._busy = False
        self._cut = False
        self._other: Image | None = None
        """What is in the inactive slot, None where that is not known."""
        self._others: dict[str, Image | None] = {}
        """The same of each checkpoint."""

    # -- whose turn it is

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Within this block no other command acts that waits for its turn."""
        with self._one:
            self._busy = True
            try:
                yield
            finally:
                self._busy = False

    def look(self, *, crash: bool) -> bool:
        """Whether there is still a machine here; raises QEMU's failure, with ``crash`` the guest's death."""
        self.appliance.power.check()
        if crash and not self._cut:
            self.appliance.console.check()
        return self.goes_on

    @property
    def goes_on(self) -> bool:
        """Whether there is still a machine here: it runs, is off by command, or is just being handled."""
        return self.appliance.power.is_on or self._cut or self._busy

    # -- looking at it

    def where(self) -> str:
        """How to reach it."""
        power = self.appliance.power
        if not power.is_on:
            return "the machine is off: 'power on' switches it on"
        ports = [f"port {port}: 127.0.0.1:{here}" for port, here in power.ports.items()]
        password = password_place(self.lab.images.source_of(self.appliance.running), self.lab.settings)
        return "\n".join([*ways_in(self.appliance, password), *ports])

    def wait(self) -> str:
        """Wait until it is ready."""
        self._must_be_on()
        if reason := self.appliance.missing("ready"):
            raise OptionError(reason.removeprefix(NOT))
        # It starts and ends nothing: a machine that goes off meanwhile is off.
        self._busy = False
        self.appliance.wait_until_ready()
        return "it is ready"

    def screenshot(self, file: str) -> str:
        """Keep a picture of its screen; PNG where the name ends so, else PPM."""
        self._must_be_on()
        form = "png" if Path(file).suffix.lower() == ".png" else "ppm"
        try:
            self.appliance.power.machine.execute("screendump", {"filename": file, "format": form})
        except QemuFailed as error:
            raise OptionError(
                f"there is no picture of the board {self.appliance.board.name}",
                where=file,
                hint="a Raspberry Pi's boards have a screen, a PC has one for an image with a program that draws",
                evidence=error.evidence,
            ) from error
        return f"the screen is in {file}"

    def ssh(self) -> str:
        """Start breakglass."""
        self._must_have("breakglass")
        self.appliance.start_breakglass()
        return f"breakglass runs: {self.appliance.ssh_command}"

    # -- its power

    def reboot(self) -> str:
        """Ask it to reboot, and wait until it is ready again."""
        self._must_have("http")
        with _timed() as took:
            self.appliance.reboot()
        return f"it rebooted, and is ready after {took()}"

    def power_off(self) -> str:
        """Cut the power; whoever waits for the appliance waits no longer."""
        self._must_be_on()
        self._cut = True
        self.appliance.console.abort(OptionError(CUT))
        self.appliance.cut_power()
        return "the power is cut: 'power on' boots it again"

    def power_on(self) -> str:
        """Switch it on, and wait until it is ready."""
        if self.appliance.power.is_on:
            raise OptionError("it is on already", hint="'reboot' asks it to reboot, 'power off' cuts the power")
        with _timed() as took:
            self.appliance.power_on()
            self._cut = False
            if not self.appliance.missing("ready"):
                self.appliance.wait_until_ready()
        return f"it is on, and ready after {took()}\n{self.where()}"

    # -- back to what it was

    def checkpoint(self, name: str) -> str:
        """Keep disk and memory under a name."""
        board = self.appliance.board
        if not board.can_checkpoint:
            able = ", ".join(one.name for one in boards.boards() if one.can_checkpoint)
            raise OptionError(
                f"QEMU cannot keep all of the board {board.name}", hint=f"boards that it can: {able}"
            )
        with _timed() as took:
            self.appliance.checkpoint(name)
        self._others[name] = self._other
        return f"checkpoint {name!r} is kept, in {took()}; connections have ended\n{self.where()}"

    def rewind(self, name: str) -> str:
        """Return to a checkpoint."""
        with _timed() as took:
            self.appliance.rewind(name)
        self._other, self._cut = self._others.get(name), False
        return f"it is at the checkpoint {name!r} again, in {took()}; connections have ended\n{self.where()}"

    # -- what runs on it

    def update(self, source: str) -> str:
        """Build what is named, or read it, and update the device to it."""
        self._must_have("http")
        with _timed() as built:
            images = self.lab.images
            image = fitting(
                images.given(source) if is_image(source) else images.build(source), self.appliance.board
            )
        before = self.appliance.running
        if image.digest == before.digest:
            return f"nothing to do: the image of {source} runs already"
        with _timed() as updated:
            self.appliance.update(image)
        self._other = before
        return f"{source} runs: image made in {built()}, updated and ready in {updated()}"

    def run(self, package: str) -> str:
        """Build a program, and have the device run it in place of its service, as ``gok run`` does."""
        self._must_have("http")
        with _timed() as built:
            made = self.build(package)
        with _timed() as started:
            service = self.appliance.run_instead(made.service, made.program)
        return (
            f"{made.program.name} runs in place of {service.path}: built in {built()}, started in {started()}; "
            "it is gone after the next boot"
        )

    def build(self, package: str) -> Made:
        """Build a program for the device that runs; raises OptionError where that is of no instance."""
        source = self.lab.images.source_of(self.appliance.running)
        if not source or is_image(source):
            raise OptionError(
                "the device runs a finished image, which does not say how its programs are built",
                where=source,
                hint="boot its instance instead",
            )
        return build_one(load_instance(source), package, self.lab.folders.folder("run", bulky=True) / token_hex(4))

    def flip(self) -> str:
        """Have it switch to the other slot, and reboot."""
        self._must_have("http")
        if self._other is None:
            raise OptionError(
                "it is not known what is in the inactive slot", hint="'update SOURCE' writes an image there first"
            )
        before = self.appliance.running
        with _timed() as took:
            self.appliance.flip(self._other)
        self._other = before
        return f"the other slot runs, ready after {took()}"

    # -- its network

    def link_down(self) -> str:
        """Pull the network cable."""
        return self._link(up=False)

    def link_up(self) -> str:
        """Plug it in again."""
        return self._link(up=True)

    def _link(self, *, up: bool) -> str:
        self._must_be_on()
        card = nic(self.appliance.board)["id"]
        self.appliance.power.machine.execute("set_link", {"name": card, "up": up})
        return f"the network cable is {'plugged in' if up else 'pulled'}"

    # -- the end

    def quit(self) -> str:
        """End the machine."""
        self._quit()
        return "the machine ends"

    def _must_be_on(self) -> None:
        if not self.appliance.power.is_on:
            raise OptionError("the machine is off", hint="'power on' switches it on")

    def _must_have(self, ability: str) -> None:
        self._must_be_on()
        if reason := self.appliance.missing(ability):
            raise OptionError(reason.removeprefix(NOT), where=self.appliance.console.name)


@contextmanager
def _timed() -> Iterator[Callable[[], str]]:
    """What says how long the block took."""
    began = time.monotonic()
    ended: list[float] = []
    try:
        yield lambda: f"{(ended[0] if ended else time.monotonic()) - began:.1f} s"
    finally:
        ended.append(time.monotonic())
