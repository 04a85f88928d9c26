"""The keys of the console that one types into: all go to the guest, but what follows Ctrl-A."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ESCAPE = b"\x01"
"""Ctrl-A, as in screen and picocom."""

Act = Literal["leave", "command", "help", "send"]


@dataclass(frozen=True)
class Key:
    """A key that counts after Ctrl-A, with Ctrl held or not."""

    name: str
    byte: bytes
    act: Act
    help: str

    @property
    def bytes(self) -> tuple[bytes, bytes]:
        """What the terminal sends for it; the second with Ctrl held."""
        return self.byte, bytes([self.byte[0] & 0x1F])


KEYS = (
    Key("x", b"x", "leave", "leave: the machine ends, and its disk goes"),
    Key("c", b"c", "command", "type a command for the machine; help lists them"),
    Key("h", b"h", "help", "show these keys"),
    Key("Ctrl-A", b"a", "send", "send Ctrl-A itself"),
)
_BY_BYTE = {byte: key for key in KEYS for byte in key.bytes}
HELP = next(key for key in KEYS if key.act == "help")


def table() -> str:
    """All keys, for a reader in front of a terminal."""
    return "\n".join(f"Ctrl-A {key.name:7} {key.help}" for key in KEYS)


class Keyboard:
    """Divides what is typed into what the guest gets and keys of our own; a Ctrl-A may come alone."""

    def __init__(self) -> None:
        self._escaped = False

    def next(self, data: bytes) -> tuple[bytes | Key | None, bytes]:
        """What the beginning of this means, None for nothing yet, and the rest.

        A key that is none shows the help.
        """
        if not self._escaped:
            typed, escape, rest = data.partition(ESCAPE)
            if typed:
                return typed, escape + rest
            self._escaped, data = bool(escape), rest
        if not data:
            return None, data
        self._escaped = False
        pressed = _BY_BYTE.get(data[:1], HELP)
        return ESCAPE if pressed.act == "send" else pressed, data[1:]
