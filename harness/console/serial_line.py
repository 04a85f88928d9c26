"""SerialLine: the serial port of this host that a real device's console is wired to."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, HostFault, OptionError

USUAL = 115200
"""Bits a second, as gokrazy's SerialConsole has them."""
SPEEDS = {int(name[1:]): getattr(termios, name) for name in dir(termios) if re.fullmatch(r"B\d{4,}", name)}


@dataclass(frozen=True)
class SerialPort:
    """A serial port of this host: its device file, and its speed in bits a second."""

    path: Path
    speed: int = USUAL

    @classmethod
    def parse(cls, text: str) -> SerialPort:
        """A port as people write it, ``/dev/ttyUSB0`` or ``/dev/ttyUSB0@9600``; raises OptionError."""
        path, _, speed = text.partition("@")
        if speed and (not speed.isdecimal() or int(speed) not in SPEEDS):
            raise OptionError(
                f"{speed!r} is no speed of a serial port",
                hint=f"for example /dev/ttyUSB0@{USUAL}, which is the usual speed",
            )
        return cls(Path(path), int(speed or USUAL))

    def __str__(self) -> str:
        return f"{self.path} at {self.speed} bits/s"

    def open(self, *, gate: Callable[[], None], on_lost: Callable[[HarnessError], None]) -> SerialLine:
        """Take the port for this process alone; raises OptionError where it is none or taken. See SerialLine."""
        try:
            line = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            hint = "check its path, and that you belong to the group that may use it (dialout on Debian)"
            raise OptionError(
                f"the serial port cannot be opened: {error.strerror}", where=str(self.path), hint=hint
            ) from None
        try:
            fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._set_up(line)
        except (OSError, termios.error) as error:
            os.close(line)
            taken = isinstance(error, BlockingIOError)
            what = "somebody else has the serial port" if taken else f"it is no serial port: {error.args[-1]}"
            hint = (
                "end what uses it (picocom, minicom, another run)"
                if taken
                else "give a device such as /dev/ttyUSB0"
            )
            raise OptionError(what, where=str(self.path), hint=hint) from None
        return SerialLine(line, self, gate, on_lost)

    def _set_up(self, line: int) -> None:
        """Raw bytes both ways, without echo, modem lines and flow control."""
        _, _, _, _, _, _, control = termios.tcgetattr(line)
        control[termios.VMIN], control[termios.VTIME] = 1, 0
        speed = SPEEDS[self.speed]
        bits = termios.CS8 | termios.CREAD | termios.CLOCAL
        # What came before belongs to nobody.
        termios.tcflush(line, termios.TCIFLUSH)
        termios.tcsetattr(line, termios.TCSANOW, [termios.IGNPAR, 0, bits, 0, speed, speed, control])


class SerialLine:
    """An open serial port, as the console's reader takes it.

    ``gate`` is asked before anything is typed, and raises where nothing may be. ``on_lost`` gets a HostFault
    when the port goes away, as one on USB does when it is pulled.
    """

    def __init__(
        self, line: int, port: SerialPort, gate: Callable[[], None], on_lost: Callable[[HarnessError], None]
    ) -> None:
        self._line = line
        self._port = port
        self._gate = gate
        self._on_lost = on_lost

    def fileno(self) -> int:
        """What ``poll`` waits for."""
        return self._line

    def setblocking(self, flag: bool, /) -> None:
        """Whether ``recv`` and ``send`` may wait."""
        os.set_blocking(self._line, flag)

    def recv(self, size: int, /) -> bytes:
        """Return what has come; raises BlockingIOError where nothing has, OSError when the port is gone."""
        try:
            data = os.read(self._line, size)
        except BlockingIOError:
            raise
        except OSError as error:
            self._lost(error.strerror or "")
            raise
        if not data:
            self._lost("end of file")
        return data

    def send(self, data: memoryview, /) -> int:
        """Type as many bytes as go; returns how many did."""
        self._gate()
        return os.write(self._line, data)

    def close(self) -> None:
        """Let go of the port."""
        with contextlib.suppress(OSError):
            os.close(self._line)

    def _lost(self, why: str) -> None:
        self._on_lost(
            HostFault(
                f"the serial port is gone ({why}): what the device says is no longer heard",
                where=str(self._port.path),
                hint="check the cable and the adapter",
            )
        )
