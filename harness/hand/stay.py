"""Stay: somebody is in front of an appliance, at a terminal or without one, until one of the two leaves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from harness.appliance.appliance import Appliance
from harness.errors import HarnessError
from harness.hand.bell import Bell
from harness.hand.commands import carry_out, parse
from harness.hand.ctl import Desk
from harness.hand.hand import Hand, Words
from harness.hand.session import Session
from harness.hand.show import show
from harness.hand.terminal import Terminal
from harness.hand.watch import Watch
from harness.lab.lab import Lab

KEYS_HINT = "gokrazy: you type into its console; Ctrl-A x leaves, Ctrl-A h shows more keys"
FOR_SCRIPTS = "gokrazy: for scripts: gokharness ctl --name"


@dataclass(frozen=True)
class Visit:
    """Who stays, and what for."""

    terminal: Terminal | None
    """Where the person types; None where the console is only shown."""
    out: TextIO
    """Where it is shown then."""
    words: Words
    """Puts options into the words of the command that was typed."""
    boots: bool = True
    """Whether it comes up now: that is waited for, and a crash ends what is only shown."""
    watch: Watch | None = None
    """What the device follows."""


def stay(lab: Lab, appliance: Appliance, visit: Visit, *, name: str, title: str) -> None:
    """Say how to reach it, show its console, take what is typed and the commands of scripts.

    Raises what QEMU failed of; where a boot is only shown, what it crashed of as well.
    """
    say = lab.journal.say
    with ExitStack() as stack:
        bell = stack.enter_context(Bell())
        hand = Hand(lab, appliance, name=name, quit=bell.ring, words=visit.words)
        stack.enter_context(Desk(hand, lab.folders.run_dir.path, title=title))
        for line in hand.where().splitlines():
            say(f"gokrazy: {line}")
        say(f"{FOR_SCRIPTS} {name} help")
        if (watch := visit.watch) is not None:
            stack.enter_context(_in_thread(lambda over: watch.follow(hand, say, over)))
        waits = visit.boots and not appliance.missing("ready")
        if visit.terminal is not None:
            say(KEYS_HINT)
            Session(hand, visit.terminal, bell).run(*([["wait"]] if waits else []))
            return
        if waits:
            threading.Thread(target=_say_when_ready, args=(hand, say), daemon=True).start()
        show(appliance.console, goes_on=lambda: hand.look(crash=visit.boots) and not bell.rung, out=visit.out)


def _say_when_ready(hand: Hand, say: Callable[[str], None]) -> None:
    """Wait until it is ready, before the commands of scripts, and say so; a crash is shown otherwise."""
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
