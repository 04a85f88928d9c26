"""What ``gokharness boot`` does: one machine for whoever stands in front of it, or for scripts that command it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from harness.appliance.appliance import Appliance
from harness.appliance.wanted import Wanted
from harness.boards import Board
from harness.build.subject import is_image
from harness.errors import HarnessError, OptionError
from harness.hand.bell import Bell
from harness.hand.commands import carry_out, parse
from harness.hand.ctl import Desk, free_name
from harness.hand.hand import Hand
from harness.hand.session import Session
from harness.hand.show import show
from harness.hand.terminal import Terminal
from harness.hand.watch import Watch
from harness.lab.lab import Lab

Words = Callable[[str], str]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
KEYS_HINT = "gokrazy: you type into its console; Ctrl-A x leaves, Ctrl-A h shows more keys"


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


def boot(lab: Lab, board: Board, asked: Asked, *, terminal: Terminal | None, out: TextIO, words: Words) -> None:
    """Boot it, and stay until somebody leaves; without a terminal its console is only shown, into ``out``.

    Raises what QEMU failed of; where it is only shown, what it crashed of as well.
    """
    watch = Watch(asked.source) if asked.watch else None
    image = lab.images.image(board, "hello")
    name = free_name(asked.name or image.hostname, given=bool(asked.name))
    wanted = Wanted(board, f"boot-{name}", running=False, network=lab.settings.network, reboots=True)
    if asked.warm:
        wanted = _warm(lab, wanted)
    with lab.appliance(wanted) as appliance, ExitStack() as stack:
        bell = Bell()
        hand = Hand(lab, appliance, name=name, quit=bell.ring)
        hand.words = words
        _switch_on(lab, hand, appliance)
        stack.enter_context(Desk(hand, lab.folders.run_dir.path, title=f"{image.hostname} on {board.name}"))
        if watch is not None:
            stack.enter_context(_in_thread(lambda over: watch.follow(hand, lab.journal.say, over)))
        if terminal is None:
            threading.Thread(target=_say_when_ready, args=(hand, lab.journal.say), daemon=True).start()
            show(appliance.console, goes_on=lambda: hand.look() and not bell.rung, out=out)
            return
        lab.journal.say(KEYS_HINT)
        Session(hand, terminal, bell).run(*([] if appliance.missing("ready") else [["wait"]]))


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


def _switch_on(lab: Lab, hand: Hand, appliance: Appliance) -> None:
    """Switch it on unless it is, and say how to reach it."""
    if appliance.power.is_on:
        lab.journal.say("gokrazy: it starts from a snapshot")
    else:
        appliance.power_on()
    if appliance.voice.why:
        lab.journal.say(f"gokrazy: init is not heard on this console: {appliance.voice.why}")
    for line in hand.where().splitlines():
        lab.journal.say(f"gokrazy: {line}")
    lab.journal.say(f"gokrazy: for scripts: gokharness ctl --name {hand.name} help")


def _say_when_ready(hand: Hand, say: Callable[[str], None]) -> None:
    """Wait until it is ready, before the commands of scripts, and say so; a crash is shown otherwise."""
    if not hand.appliance.missing("ready"):
        with suppress(HarnessError):
            say(f"gokrazy: {carry_out(hand, parse(['wait'], Path.cwd()))}")


@contextmanager
def _in_thread(act: Callable[[threading.Event], None]) -> Iterator[None]:
    """Within this block ``act`` goes on beside it; it ends soon after its event is set."""
    over = threading.Event()
    threading.Thread(target=act, args=(over,), name="hand-watch", daemon=True).start()
    try:
        yield
    finally:
        over.set()
