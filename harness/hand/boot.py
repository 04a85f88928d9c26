"""What ``gokharness boot`` does: one machine for whoever stands in front of it, or for scripts that command it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from harness.appliance.appliance import Appliance
from harness.appliance.wanted import Wanted
from harness.boards import Board
from harness.build.subject import is_image
from harness.errors import OptionError
from harness.hand.ctl import free_name
from harness.hand.stay import Visit, stay
from harness.hand.watch import Watch
from harness.lab.lab import Lab

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True)
class Asked:
    """What somebody wants who boots a machine by hand."""

    source: str
    """The instance or image."""
    name: str = ""
    """How scripts call the machine; "" for its host name."""
    warm: bool = False
    """Whether it starts from a snapshot, where its board can."""
    watch: bool = False
    """Whether the device follows what changes in the instance."""

    def __post_init__(self) -> None:
        if self.name and not NAME.fullmatch(self.name):
            raise OptionError(f"--name {self.name!r} is no name", hint="letters, digits, dots, hyphens: my-device")
        if self.watch and is_image(self.source):
            raise OptionError("--watch: this is a finished image", where=self.source, hint="name an instance")


def boot(lab: Lab, board: Board, asked: Asked, visit: Visit) -> None:
    """Boot it, and stay until somebody leaves; without a terminal its console is only shown.

    Raises what QEMU failed of; where it is only shown, what it crashed of as well.
    """
    watch = Watch(asked.source) if asked.watch else None
    with booted(lab, board, asked) as (appliance, name):
        title = f"{appliance.image.hostname} on {board.name}"
        stay(lab, appliance, replace(visit, watch=watch), name=name, title=title)


@contextmanager
def booted(lab: Lab, board: Board, asked: Asked) -> Iterator[tuple[Appliance, str]]:
    """Within this block it is on; gives it with the name that scripts call it by."""
    image = lab.images.image(board, "hello")
    name = free_name(asked.name or image.hostname, given=bool(asked.name))
    wanted = Wanted(board, f"boot-{name}", running=False, network=lab.settings.network, reboots=True)
    if asked.warm:
        wanted = _warm(lab, wanted)
    with lab.appliance(wanted) as appliance:
        _switch_on(lab, appliance)
        yield appliance, name


def _warm(lab: Lab, wanted: Wanted) -> Wanted:
    """The same from a snapshot; cold, and said so, where there can be none."""
    warm = Wanted(wanted.board, wanted.name, network=wanted.network, reboots=wanted.reboots)
    if reason := lab.skip_reason(warm):
        lab.journal.say(f"gokrazy: it starts cold: {reason}")
        return wanted
    if not lab.starts_warm(warm):
        lab.journal.say(f"gokrazy: it starts cold: there can be no snapshot of it on {wanted.board.name}")
        return wanted
    return warm


def _switch_on(lab: Lab, appliance: Appliance) -> None:
    """Switch it on unless it is."""
    if appliance.power.is_on:
        lab.journal.say("gokrazy: it starts from a snapshot")
    else:
        appliance.power_on()
    if appliance.voice.why:
        lab.journal.say(f"gokrazy: init is not heard on this console: {appliance.voice.why}")
