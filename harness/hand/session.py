"""Session: a person in front of an appliance sees its console and types into it, until one of the two leaves."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.console.findings import Finding
from harness.console.match import Mark
from harness.errors import DeviceUnreachable, HarnessError, OptionError, WaitTimeout
from harness.hand.bell import Bell
from harness.hand.commands import Order, carry_out, parse, split
from harness.hand.hand import Hand
from harness.hand.keys import Keyboard, table
from harness.hand.show import START
from harness.hand.terminal import Terminal

TAKES = 1.0
"""Seconds for a guest to take what was typed: its serial port holds thousands of keys."""
LOOK = 0.25
"""Seconds between two looks whether the machine is off, or somebody leaves, while the guest says nothing."""
LAST_PIECE = 2.0
"""Seconds for the terminal to take what is being shown when somebody leaves."""
MOST = 1 << 16
"""Bytes that are shown at once."""


class Session:
    """One person, one machine; ``bell`` ends it from outside."""

    def __init__(self, hand: Hand, terminal: Terminal, bell: Bell) -> None:
        self._hand = hand
        self._terminal = terminal
        self._bell = bell
        self._keyboard = Keyboard()
        self._said: Finding | None = None
        self._takes = True
        self._left = False

    def run(self, *first: Sequence[str]) -> None:
        """Show and type until Ctrl-A x, or until the appliance has switched itself off.

        The commands ``first`` are carried out at its beginning. Raises what QEMU failed of. A guest that crashes
        stays: its machine is there to be looked at.
        """
        with self._terminal.raw(), self._shown():
            for words in first:
                self._begin(parse(words, Path.cwd()), unasked="gokrazy: ")
            while (data := self._bell.wait_for_keys(self._terminal.keys)) is not None:
                if not self._take(data):
                    break
            self._left = True
        self._hand.appliance.power.check()

    def _take(self, data: bytes) -> bool:
        """Act on what was typed; False to leave."""
        while data:
            found, data = self._keyboard.next(data)
            if isinstance(found, bytes):
                self._type(found)
            elif found is None:
                break
            elif found.act == "leave":
                return False
            elif found.act == "command":
                # What was typed too fast belongs to the line that is asked for now.
                data = self._command(data)
            else:
                self._terminal.say(table())
        return True

    def _type(self, data: bytes) -> None:
        try:
            self._hand.appliance.console.send(data, timeout=TAKES)
            self._takes = True
        except (DeviceUnreachable, WaitTimeout) as error:
            if self._takes:
                self._say(f"gokrazy: {error.what}")
            self._takes = False

    def _command(self, typed: bytes) -> bytes:
        """Let a command be typed and begin it; returns what was typed behind it."""
        first, end, rest = typed.replace(b"\n", b"\r").partition(b"\r")
        before = first.decode(errors="replace")
        line = before if end else self._terminal.ask(f"{self._hand.name}> ", before)
        try:
            if words := split(line):
                self._begin(parse(words, Path.cwd()))
        except OptionError as error:
            self._say(str(error))
        return rest

    def _begin(self, order: Order, *, unasked: str = "") -> None:
        """Carry it out beside the console, which goes on; ``unasked`` heads what nobody asked for."""

        def act() -> None:
            try:
                said = carry_out(self._hand, order)
            except HarnessError as error:
                said = f"{order.command.name}: {_brief(error)}"
            except Exception as error:
                # A person at a prompt must see what went wrong, also what nobody has thought of.
                said = f"{order.command.name}: {type(error).__name__}: {error}"
            self._say(unasked + said)

        threading.Thread(target=act, name="hand-command", daemon=True).start()

    @contextlib.contextmanager
    def _shown(self) -> Iterator[None]:
        """Within this block the console is on the terminal."""
        over = threading.Event()
        shower = threading.Thread(target=self._show, args=(over,), name="hand-shown", daemon=True)
        shower.start()
        try:
            yield
        finally:
            over.set()
            shower.join(LAST_PIECE)

    def _show(self, over: threading.Event) -> None:
        console, shown = self._hand.appliance.console, START
        while not over.is_set():
            on = self._hand.goes_on
            console.wait_for_more(shown, at_most=LOOK)
            while not over.is_set() and (data := console.recording.read(shown.offset, MOST)):
                self._terminal.write(data)
                shown = Mark(shown.offset + len(data))
            self._say_once(console.crash)
            if not on:
                self._terminal.say("gokrazy: the machine is off")
                self._bell.ring()
                return

    def _say(self, text: str) -> None:
        if not self._left:
            self._terminal.say(self._hand.words(text))

    def _say_once(self, crash: Finding | None) -> None:
        """Say in our own words what the console showed."""
        if crash is not None and crash.settled and crash is not self._said:
            self._said = crash
            self._say(f"gokrazy: {_brief(crash.error())}")


def _brief(error: HarnessError) -> str:
    """An error without its evidence, which the console has shown."""
    return "\n  to do: ".join(filter(None, (error.what, error.hint)))
