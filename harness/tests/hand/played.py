"""A machine by hand that is played: a guest that answers what is typed, an appliance that notes what it is asked.

Run as ``python -m harness.tests.hand.played FOLDER`` in a terminal, a person stands in front of it.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness.boards import board
from harness.console.console import Console
from harness.errors import HarnessError, OptionError
from harness.hand.bell import Bell
from harness.hand.ctl import Desk
from harness.hand.hand import Hand
from harness.hand.session import Session
from harness.hand.terminal import Terminal
from harness.machine.ports import Port
from harness.options import Settings
from harness.tests.console.replay import PANIC, FakeMachine

PROMPT = "guest# "
UNDER_WAY = 10.0
"""Seconds that a command under way takes at most, which a test ends."""


class PlayedPower:
    """The switch of a machine that is not there."""

    def __init__(self) -> None:
        self.is_on = True
        self.ports = {Port(80): 40001, Port(22): 40022}
        self.asked: list[tuple[str, object]] = []
        self.refuses: HarnessError | None = None
        self.machine = self

    def execute(self, name: str, arguments: object) -> None:
        """What QMP would be asked for."""
        self.asked.append((name, arguments))
        if self.refuses is not None:
            raise self.refuses

    def check(self) -> None:
        """Nothing failed."""

    def check_unseen(self) -> None:
        """Nothing failed that nobody has seen."""


class PlayedAppliance:
    """Notes what it is asked for; ``lacks`` is what it cannot do."""

    def __init__(self, folder: Path) -> None:
        self.console = Console(folder, name="played")
        self.power = PlayedPower()
        self.board = SimpleNamespace(
            name="virt", nic=board("virt").nic, misfit=lambda image: "", can_checkpoint=True
        )
        self.asked: list[str] = []
        self.lacks: dict[str, str] = {}
        self.fails: dict[str, HarnessError] = {}
        self.image = SimpleNamespace(hostname="mine")
        self.running: Any = SimpleNamespace(digest="d1", hostname="mine", http_port=80, https_port=443)
        self.device = SimpleNamespace(speaks_tls=False)
        self.ssh_command = "ssh -p 40022 root@127.0.0.1"
        self.voice = SimpleNamespace(why="")
        self.hold = threading.Event()
        self.hold.set()

    def missing(self, ability: str) -> str:
        """Why it cannot."""
        return self.lacks.get(ability, "")

    def can(self, ability: str) -> bool:
        """Whether it can."""
        return not self.missing(ability)

    def url(self, port: int, path: str, *, scheme: str) -> str:
        """Where it answers."""
        return f"{scheme}://127.0.0.1:{40000 + port}{path}"

    def explain(self, error: BaseException | None) -> None:
        """It knows no more."""

    def cut_power(self) -> None:
        """Pull the plug."""
        self.asked.append("cut_power")
        self.power.is_on = False

    def power_on(self) -> None:
        """Plug it in."""
        self.asked.append("power_on")
        self.power.is_on = True

    def update(self, image: Any) -> None:
        """Run another image."""
        self._noted("update", image.digest)
        self.running = image

    def flip(self, image: Any) -> None:
        """Run what is in the other slot."""
        self._noted("flip", image.digest)
        self.running = image

    def run_instead(self, service: str, program: Path) -> Any:
        """Run another program."""
        self._noted("run_instead", service, program.name)
        return SimpleNamespace(path=service)

    def __getattr__(self, name: str) -> Any:
        if name not in ("reboot", "checkpoint", "rewind", "wait_until_ready", "start_breakglass"):
            raise AttributeError(name)
        return lambda *given: self._noted(name, *given)

    def _noted(self, name: str, *given: str) -> None:
        self.asked.append(" ".join([name, *given]))
        assert self.hold.wait(UNDER_WAY)
        if name in self.fails:
            raise self.fails[name]


class PlayedImages:
    """Images that are built of nothing; one named "broken" does not compile."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.source = ""

    def source_of(self, image: Any) -> str:
        """Nobody knows, unless a test says so."""
        return self.source

    def build(self, source: str) -> Any:
        """An image of an instance."""
        self.made.append(source)
        if Path(source).name == "broken":
            raise OptionError("it does not compile", evidence="main.go:3: nonsense")
        return SimpleNamespace(digest=f"of {source}", http_port=80, https_port=443)


class PlayedLab:
    """What a hand needs of a lab."""

    def __init__(self, folder: Path) -> None:
        password = folder / "pw.txt"
        password.write_text("very secret")
        self.settings = Settings(password_file=password)
        self.images = PlayedImages()
        self.folders = SimpleNamespace(folder=lambda name, bulky: folder / name)


class Played:
    """All of it together."""

    def __init__(self, folder: Path) -> None:
        self.appliance = PlayedAppliance(folder)
        self.lab = PlayedLab(folder)
        self.bell = Bell()
        lab: Any = self.lab
        appliance: Any = self.appliance
        self.hand = Hand(lab, appliance, name="mine", quit=self.bell.ring)
        self.guest = FakeMachine()
        self.appliance.console.attach(self.guest.theirs)

    def close(self) -> None:
        """The guest ends."""
        self.guest.end()
        self.appliance.console.close()


@contextlib.contextmanager
def played(folder: Path) -> Iterator[Played]:
    """A machine by hand, gone at the end of the block."""
    made = Played(folder)
    try:
        yield made
    finally:
        made.close()


def answer(made: Played) -> None:
    """Be the guest: say what was typed as hexadecimal digits; o switches it off, p panics, w writes odd modes."""
    made.guest.say(f"\r\n{PROMPT}")
    while typed := made.guest.ours.recv(4096):
        if b"o" in typed:
            made.appliance.power.is_on = False
        elif b"p" in typed:
            made.guest.say(PANIC)
        elif b"w" in typed:
            made.guest.say("\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?2004lodd modes")
        made.guest.say(f"<{typed.hex()}>")


def main(folder: Path) -> None:
    """Let a person stand in front of it."""
    with played(folder) as made:
        threading.Thread(target=answer, args=(made,), daemon=True).start()
        terminal = Terminal.of(sys.stdin, sys.stdout)
        assert terminal is not None
        with Desk(made.hand, folder, title="played"):
            Session(made.hand, terminal, made.bell).run(["wait"])
    print("left")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
