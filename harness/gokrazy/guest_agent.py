"""The guest agent: what one can ask of a program of the device over QEMU's channel.

Source: QEMU's ``docs/interop/qemu-ga.rst`` and ``qga/qapi-schema.json``.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from harness.errors import CommandFailed
from harness.gokrazy.waiting import Deadline, Done, NotYet, poll

TRY = 5.0
"""Seconds after which the guest is asked for its attention again: what it was asked before it rebooted is lost."""
DELIMITER = b"\xff"
_HINT = "the image needs a guest agent that opens the channel; see the log of its service"
_OUTPUTS = ("out-data", "err-data")

Mode = Literal["powerdown", "halt", "reboot"]


class Wire(Protocol):
    """The channel to the agent."""

    def send(self, data: bytes) -> None:
        """Send it; where nobody is there to take it, it is lost."""

    def receive(self, seconds: float) -> bytes:
        """What comes next, b"" when nothing does in that time."""

    @property
    def heard_by(self) -> str:
        """What is known of a program at the other end."""


@dataclass(frozen=True)
class Outcome:
    """What a program came to that the agent ran."""

    status: int
    out: str
    err: str


class GuestAgent:
    """The agent of an appliance; each question waits as long as a service may take to come up."""

    def __init__(self, wire: Wire, *, patience: float, where: str, check: Callable[[], None]) -> None:
        self._wire = wire
        self._patience = patience
        self._where = where
        self._check = check
        self._ids = itertools.count(1)

    def ping(self) -> None:
        """Have it answer; raises WaitTimeout where it does not."""
        self.ask("guest-ping")

    def commands(self) -> tuple[str, ...]:
        """The names of all that it can do here, such as ``guest-exec``."""
        known = self.ask("guest-info")["supported_commands"]
        return tuple(sorted(one["name"] for one in known if one["enabled"]))

    def addresses(self) -> dict[str, tuple[str, ...]]:
        """The IP addresses of each network interface, without their prefixes."""
        return {
            one["name"]: tuple(address["ip-address"] for address in one.get("ip-addresses", ()))
            for one in self.ask("guest-network-get-interfaces")
        }

    @contextlib.contextmanager
    def frozen(self) -> Iterator[int]:
        """A block in which the file systems take no write, as for a backup of the disk; how many they are."""
        count = self.ask("guest-fsfreeze-freeze")
        try:
            yield int(count)
        finally:
            self.ask("guest-fsfreeze-thaw")

    def is_frozen(self) -> bool:
        """Whether the file systems take no write."""
        return bool(self.ask("guest-fsfreeze-status") == "frozen")

    def run(self, path: str, *arguments: str, check: bool = True) -> Outcome:
        """Run a program to its end; raises CommandFailed for another status than 0, unless ``check`` is off."""
        asked = {"path": path, "arg": list(arguments), "capture-output": True}
        pid = self.ask("guest-exec", **asked)["pid"]

        def attempt(_: Deadline) -> Done[dict[str, Any]] | NotYet:
            said = self.ask("guest-exec-status", pid=pid)
            return Done(said) if said["exited"] else NotYet("it runs")

        said = self._await(f"{path} to end", attempt)
        out, err = (base64.b64decode(said.get(name, "")).decode(errors="replace") for name in _OUTPUTS)
        outcome = Outcome(int(said.get("exitcode", -int(said.get("signal", 0)))), out, err)
        if check and outcome.status:
            raise CommandFailed(
                f"the guest agent ran {path}, which ended with status {outcome.status}",
                status=outcome.status,
                where=self._where,
                evidence=f"{out}{err}",
            )
        return outcome

    def shutdown(self, mode: Mode = "powerdown") -> None:
        """Have it end the device; it answers nothing, and who asks sees the device end."""
        self._sync()
        self._send("guest-shutdown", {"mode": mode})

    def ask(self, command: str, **arguments: object) -> Any:
        """Return what it answers; raises WaitTimeout, or CommandFailed where it refuses.

        ``arguments`` whose names have a ``-`` are given as ``**{"capture-output": True}``.
        """
        self._sync()
        self._send(command, arguments)
        words = bytearray()

        def attempt(deadline: Deadline) -> Done[Any] | NotYet:
            said = self._line(words, deadline)
            return Done(said) if said is not None else NotYet(self._wire.heard_by)

        said = self._await(f"the guest agent to answer {command}", attempt)
        if "error" in said:
            raise CommandFailed(
                f"the guest agent refuses {command}: {said['error'].get('desc', said['error'])}",
                status=1,
                where=self._where,
            )
        return said["return"]

    def _await(self, what: str, attempt: Callable[[Deadline], Done[Any] | NotYet]) -> Any:
        return poll(what, self._patience, attempt, where=self._where, check=self._check, hint=_HINT)

    def _send(self, command: str, arguments: dict[str, Any]) -> None:
        asked = {"execute": command, **({"arguments": arguments} if arguments else {})}
        self._wire.send(json.dumps(asked).encode() + b"\n")

    def _sync(self) -> None:
        """Have its attention: what it said before is gone."""
        said = bytearray()
        asked: set[int] = set()

        def attempt(deadline: Deadline) -> Done[None] | NotYet:
            number = next(self._ids)
            asked.add(number)
            question = {"execute": "guest-sync-delimited", "arguments": {"id": number}}
            self._wire.send(DELIMITER + json.dumps(question).encode() + b"\n")
            once = Deadline(min(TRY, max(deadline.left, 0.1)))
            while not once.over:
                said.extend(self._wire.receive(once.slice(1.0)))
                self._check()
                if _is_answer(bytes(said), asked):
                    return Done(None)
            return NotYet(self._wire.heard_by)

        self._await("the guest agent to answer", attempt)

    def _line(self, said: bytearray, deadline: Deadline) -> dict[str, Any] | None:
        while piece := self._wire.receive(deadline.slice(1.0)):
            said.extend(piece)
            while b"\n" in said:
                line, _, rest = bytes(said).partition(b"\n")
                said[:] = rest
                # Late answers to earlier questions for its attention are none.
                if DELIMITER not in line and (found := _object(line)) is not None:
                    return found
        return None


def _is_answer(said: bytes, asked: set[int]) -> bool:
    """Whether the last of the words that stand behind a delimiter answer one of these questions."""
    _, delimiter, last = said.rpartition(DELIMITER)
    found = _object(last) if delimiter and last.endswith(b"\n") else None
    return found is not None and found.get("return") in asked


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
