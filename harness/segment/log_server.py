"""LogServer: a neighbour that takes what services say, as gokrazy sends it (syslog over UDP, RFC 3164)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from harness.segment.addresses import NEIGHBOUR
from harness.segment.datagram import Datagram
from harness.segment.heard import Heard
from harness.segment.segment import Segment

PORT = 514
TARGET = f"{NEIGHBOUR}:{PORT}"
"""What gokrazy's /perm/remote_syslog/target must say."""
_MESSAGE = re.compile(r"<(\d{1,3})>(\S+) (\S+) (.*?)\[(\d+)\]: (.*)", re.DOTALL)
"""As Go's log/syslog writes it to a network."""


@dataclass(frozen=True)
class LogMessage:
    """One line of a service; what is in no known form is all ``text``."""

    text: str
    priority: int | None = None
    at: str = ""
    """The time by the device's clock, as RFC 3339."""
    hostname: str = ""
    tag: str = ""
    """Who says it: the last element of the service's path."""

    @classmethod
    def of(cls, data: bytes) -> LogMessage:
        """What a datagram says."""
        said = data.decode(errors="replace").rstrip("\n")
        found = _MESSAGE.fullmatch(said)
        return cls(said) if found is None else cls(found[6], int(found[1]), found[2], found[3], found[4])

    def __str__(self) -> str:
        return f"{self.at} {self.hostname} {self.tag}: {self.text}"


class LogServer:
    """Keeps all that it is told."""

    def __init__(self, check: Callable[[], None] = lambda: None) -> None:
        self.heard: Heard[LogMessage] = Heard("the log server", check)

    @property
    def messages(self) -> tuple[LogMessage, ...]:
        """All messages so far, in order of arrival."""
        return self.heard.all

    def wait_for(self, pattern: str, *, by: str = "", timeout: float) -> LogMessage:
        """The first message that the pattern fits, of the service ``by`` if it is named; raises WaitTimeout."""
        wanted = re.compile(pattern)

        def fits(message: LogMessage) -> bool:
            is_by = not by or message.tag == by.rpartition("/")[2]
            return is_by and wanted.search(message.text) is not None

        what = "a message" + (f" that fits {pattern!r}" if pattern else "") + (f" of {by}" if by else "")
        hint = "does /perm/remote_syslog/target name the server? init reads it when it starts"
        return self.heard.wait(what, timeout, fits, hint=hint)

    def hear(self, datagram: Datagram) -> None:
        """Keep what a datagram says; nothing is answered."""
        self.heard.put(LogMessage.of(datagram.data))

    def segment(self) -> Segment:
        """The network with it."""
        return Segment({(NEIGHBOUR, PORT): self.hear})
