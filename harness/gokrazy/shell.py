"""A shell on a terminal of the device, to talk to as at a keyboard."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import paramiko

from harness.errors import DeviceUnreachable, WaitTimeout
from harness.gokrazy.ssh import hang_up
from harness.gokrazy.waiting import Deadline

KEPT = 1 << 20
"""Characters kept that no ``expect`` has taken yet."""


class Shell:
    """The dialogue: what is sent comes back as an echo, as a terminal does."""

    def __init__(self, channel: paramiko.Channel, where: str, check: Callable[[], None]) -> None:
        self._channel = channel
        self._where = where
        self._check = check
        self._pending = ""
        self.transcript = ""
        """Everything it said, its last 1 Mi characters."""

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        hang_up(self._channel)

    def send(self, text: str) -> None:
        """Type ``text`` as it is; a line ends with a carriage return. Raises DeviceUnreachable once it hung up."""
        try:
            self._channel.sendall(text.encode())
        except (OSError, paramiko.SSHException):
            raise self._gone(f"{text!r} was typed") from None

    def send_line(self, line: str) -> None:
        """Type a line."""
        self.send(line + "\r")

    def expect(self, pattern: str | re.Pattern[str], timeout: float) -> re.Match[str]:
        """The first place where ``pattern`` is found in what nobody expected yet; what is up to there is taken.

        Raises WaitTimeout with the last lines, DeviceUnreachable when the shell ended.
        """
        wanted = re.compile(pattern)
        deadline = Deadline(timeout)
        while True:
            if found := wanted.search(self._pending):
                self._pending = self._pending[found.end() :]
                return found
            self._check()
            if deadline.over:
                raise WaitTimeout(
                    f"waited {timeout:g} s for {wanted.pattern!r} from the shell",
                    where=self._where,
                    evidence=self._pending[-800:] or "(it said nothing)",
                )
            self._channel.settimeout(deadline.slice(1.0))
            try:
                more = self._channel.recv(64 << 10)
            except TimeoutError:
                continue
            if not more:
                raise self._gone(f"{wanted.pattern!r} was awaited")
            text = more.decode("utf-8", "replace")
            self._pending = (self._pending + text)[-KEPT:]
            self.transcript = (self.transcript + text)[-KEPT:]

    def command(self, line: str, timeout: float) -> tuple[int, str]:
        """Type a command (shorter than the terminal's width), wait for its end: its status and what it printed."""
        token = secrets.token_hex(4)
        # The echo shows the token in two halves, so only the answer matches.
        self.send_line(f"{line}; echo {token[:4]}''{token[4:]}:$?:")
        # What is typed before the shell is up is echoed twice, by terminal and shell: the last echo counts.
        echo = rf".*{token[:4]}''{token[4:]}:\$\?:\r*\n"
        found = self.expect(rf"(?s){echo}(.*?){token}:(\d+):", timeout)
        return int(found.group(2)), found.group(1).replace("\r\n", "\n")

    def _gone(self, when: str) -> DeviceUnreachable:
        self._check()
        return DeviceUnreachable(
            f"the shell ended when {when}",
            where=self._where,
            hint="its last words: " + self._pending[-200:].strip(),
        )
