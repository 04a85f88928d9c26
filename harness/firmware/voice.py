"""Who is heard on a board's serial port: the kernel, and init, which writes to /dev/console.

Image and board decide it together: a console on the command line counts only where the board has that port.
Nothing else in the harness decides it. Source: the kernel's serial-console.rst ("the last device will be
used when you open /dev/console") and register_console() in kernel/printk/printk.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness.boards import Board, Boot
from harness.errors import FirmwareFailure, ImageError
from harness.firmware.command_line import SERIAL0, with_serial0
from harness.firmware.raspberry.models import model
from harness.firmware.raspberry.videocore import RaspberryStage
from harness.image.model import Extent, Image
from harness.image.source import ByteSource, FileSource

NO_SERIAL = "its kernel has no serial console (SerialConsole is disabled)"
SHOWS_START = 7
"""The lowest level of a console that shows the kernel's start: those messages have level 6, and must be below."""
_CONSOLE = re.compile(r"(?:^|\s)console=(\S+)")
_SCREEN = re.compile(r"tty\d*")
_LEVEL = re.compile(r"(?:^|\s)(?:(quiet|debug|ignore_loglevel)(?=\s|$)|loglevel=(\d+))")
_LEVELS = {"quiet": 4, "debug": 10, "ignore_loglevel": 10}


@dataclass(frozen=True)
class Voice:
    """Whether the kernel and the init of an image are heard on the serial port of a board."""

    port: str
    """What the board's kernel calls the port, such as ttyAMA0."""
    kernel: bool
    """Whether the kernel reports its start there. It reports a crash at any level."""
    init: bool
    """Whether the port is /dev/console: what init writes to, and where its shell reads."""
    why: str = ""
    """Why init is not heard, "" when it is."""

    @property
    def any(self) -> bool:
        """Whether anybody is heard."""
        return self.kernel or self.init


def voice_of(image: Image, board: Board, *, quirks: bool = True) -> Voice:
    """Who is heard when ``board`` runs ``image``; ``quirks`` as for the board's firmware stage."""
    return voice(kernel_line(image, board, quirks=quirks), board)


def kernel_line(image: Image, board: Board, *, quirks: bool = True) -> str:
    """The command line that the kernel gets on this board, with the names that the serial ports have there."""
    if board.boot is Boot.RASPBERRY:
        stage = RaspberryStage(image.layout.boot, Path(), model(board.model), quirks=quirks)
        try:
            return stage.command_line(_File(image.path))
        except (FirmwareFailure, ImageError):
            # It will not start. The start itself reports why, and needs no console for that.
            return image.cmdline
    return with_serial0(image.cmdline, board.console) if board.has_serial0 else image.cmdline


def voice(line: str, board: Board) -> Voice:
    """Who is heard on the board's port with this command line."""
    names = [re.split(r"[,\s]", name)[0] for name in _CONSOLE.findall(line)]
    port = board.console
    heard = port in names
    init = heard and _dev_console(names, port) == port
    return Voice(port, heard and _level(line) >= SHOWS_START, init, "" if init else _why(names, board))


def voice_at_line(line: str) -> Voice:
    """Who is heard with this command line on a serial line that is wired to the last port it names."""
    names = [re.split(r"[,\s]", name)[0] for name in _CONSOLE.findall(line)]
    serial = [name for name in names if not _SCREEN.fullmatch(name)]
    if not serial:
        return Voice("", kernel=False, init=False, why=NO_SERIAL)
    init = _dev_console(names, serial[-1]) == serial[-1]
    why = "" if init else f"init writes to {names[-1]}: of its consoles ({', '.join(names)}), that is the last one"
    return Voice(serial[-1], _level(line) >= SHOWS_START, init, why)


def _dev_console(names: list[str], port: str) -> str:
    """Which console /dev/console is: the last one named, or the first one registered if the board lacks that.

    The kernel registers the screen before any serial port, with a display or without.
    """
    there = [name for name in names if name == port or _SCREEN.fullmatch(name)]
    if names[-1] in there:
        return names[-1]
    return next((name for name in there if name != port), port)


def _level(line: str) -> int:
    """The level of the kernel's consoles, which show what is below it; the last setting counts."""
    level = SHOWS_START
    for word, number in _LEVEL.findall(line):
        level = _LEVELS[word] if word else int(number)
        if word == "ignore_loglevel":
            return level
    return level


def _why(names: list[str], board: Board) -> str:
    port = board.console
    serial = [name for name in names if not _SCREEN.fullmatch(name)]
    if not serial:
        return NO_SERIAL
    if port in names:
        last = names[-1] if names[-1] == port or _SCREEN.fullmatch(names[-1]) else "the screen"
        return f"init writes to {last}: of its consoles ({', '.join(names)}), {port} is not the last one"
    hint = f'SerialConsole "{port},115200" would be heard'
    if serial[-1] == SERIAL0:
        return f"its serial console is serial0, a name that only a Raspberry Pi's firmware replaces; {hint}"
    return f"its serial console is {serial[-1]}, and the serial port of {board.name} is {port}; {hint}"


@dataclass(frozen=True)
class _File:
    """An image's own file as the disk of a machine that is off."""

    path: Path

    def source(self, extent: Extent) -> ByteSource:
        return FileSource(self.path, extent.offset, extent.size)
