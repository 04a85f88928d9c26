"""Terminal: raw while a person types at a guest, with our own lines between, and left as it was found."""

from __future__ import annotations

import contextlib
import os
import re
import readline
import signal
import termios
import threading
import tty
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn, Self, TextIO

ENDING = (signal.SIGTERM, signal.SIGHUP)
_MODE = re.compile(rb"\x1b\[\?([0-9;]{1,40})([hl])")
_ON_BY_ITSELF = {b"7", b"25"}
"""Private modes that a terminal has on from the start: lines wrap, the cursor is seen."""
_CUT = 48
"""Bytes at the end of a piece in which a sequence may be cut off."""


class Terminated(SystemExit):
    """A signal asked this process to end: what is open is closed on the way."""


class GuestModes:
    """The private modes in which a guest's programs put the terminal, to take them back when they could not."""

    def __init__(self) -> None:
        self._changed: dict[bytes, None] = {}
        self._styled = False
        self._tail = b""

    def see(self, data: bytes) -> None:
        """These bytes went to the terminal."""
        self._styled = self._styled or b"\x1b[" in data
        text = self._tail + data
        for numbers, state in _MODE.findall(text):
            for number in numbers.split(b";"):
                self._changed.pop(number, None)
                if (state == b"h") != (number in _ON_BY_ITSELF):
                    self._changed[number] = None
        self._tail = text[-_CUT:]

    def undo(self) -> bytes:
        """What the terminal must get to be as it was."""
        back = [b"\x1b[?%s%s" % (one, b"h" if one in _ON_BY_ITSELF else b"l") for one in reversed(self._changed)]
        return b"".join([*back, b"\x1b[0m" if self._styled else b""])


class Terminal:
    """The terminal of a person, by its two ends."""

    def __init__(self, keys: int, screen: int) -> None:
        self.keys = keys
        self._screen = screen
        self._modes = GuestModes()
        self._found: list[object] | None = None
        """How the terminal was before it became raw, None while it is not."""
        self._free = threading.Condition(threading.RLock())
        self._new_line = True
        self._asking = False
        self._held: list[str] = []
        """What is to be said once the line is typed that is being asked for."""

    @classmethod
    def of(cls, keys: TextIO, screen: TextIO) -> Self | None:
        """The terminal behind two files, None if either is no terminal."""
        if not (keys.isatty() and screen.isatty()):
            return None
        screen.flush()
        return cls(keys.fileno(), screen.fileno())

    @contextlib.contextmanager
    def raw(self) -> Iterator[None]:
        """Within this block every key comes as it is typed; at its end all is as before, whatever ended it.

        A signal that asks this process to end raises Terminated within the block.
        """
        found = termios.tcgetattr(self.keys)

        def end(number: int, _: FrameType | None) -> NoReturn:
            raise Terminated(128 + number)

        before = {number: signal.signal(number, end) for number in ENDING}
        try:
            self._found = found
            tty.setraw(self.keys, termios.TCSADRAIN)
            yield
        finally:
            self._found = None
            with contextlib.suppress(termios.error, OSError):
                # Not DRAIN: it would wait for a terminal whose reader has gone.
                termios.tcsetattr(self.keys, termios.TCSANOW, found)
                self._put(self._modes.undo())
                self._put(b"" if self._new_line else b"\n")
            for number, handler in before.items():
                signal.signal(number, handler)

    def write(self, data: bytes) -> None:
        """Show what the guest said, unchanged."""
        with self._free:
            self._free.wait_for(lambda: not self._asking)
            self._modes.see(data)
            self._put(data)

    def say(self, text: str) -> None:
        """Show lines of our own, apart from the guest's."""
        end = "\r\n" if self._found is not None else "\n"
        with self._free:
            if self._asking:
                self._held.append(text)
                return
            begin = "" if self._new_line else end
            self._put(f"{begin}{text}\n".replace("\n", end).replace("\r\r", "\r").encode())

    def ask(self, prompt: str, typed: str = "") -> str:
        """Let a line be typed that begins with ``typed``, with what readline offers; "" where it was given up.

        The guest's output waits meanwhile, and so does what is to be said.
        """
        with self._free:
            self._put(b"" if self._new_line else b"\r\n")
            self._asking = True
        try:
            readline.set_startup_hook(lambda: readline.insert_text(typed))
            if self._found is not None:
                termios.tcsetattr(self.keys, termios.TCSADRAIN, self._found)  # type: ignore[arg-type]
            return input(prompt)
        except (EOFError, KeyboardInterrupt):
            self._put(b"\n")
            return ""
        finally:
            readline.set_startup_hook(None)
            if self._found is not None:
                tty.setraw(self.keys, termios.TCSADRAIN)
            with self._free:
                self._asking, self._new_line = False, True
                held, self._held = self._held, []
                for text in held:
                    self.say(text)
                self._free.notify_all()

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        with contextlib.suppress(OSError):
            # A terminal that has gone shows nothing; its end is seen where keys are awaited.
            while view:
                view = view[os.write(self._screen, view) :]
        if data:
            self._new_line = data.endswith(b"\n")
