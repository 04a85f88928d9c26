"""The client of a guest agent, and an agent that is played line by line."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.errors import BootFailure, CommandFailed, WaitTimeout
from harness.gokrazy import guest_agent
from harness.gokrazy.guest_agent import DELIMITER, GuestAgent

Answer = Callable[[dict[str, Any]], Any]


class Played:
    """An agent at the other end: ``answers`` maps commands to what comes back, None for silence."""

    heard_by = "nobody has opened it"

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.waiting = b""
        self.late = b""

    def send(self, data: bytes) -> None:
        asked = json.loads(data.rpartition(DELIMITER)[2])
        name, arguments = asked["execute"], asked.get("arguments", {})
        if name == "guest-sync-delimited":
            if "deaf" not in self.answers:
                said = json.dumps({"return": arguments["id"]}).encode()
                self.waiting += self.late + DELIMITER + said + b"\n"
            return
        self.asked.append((name, arguments))
        answer = self.answers.get(name.replace("-", "_"))
        if callable(answer):
            answer = answer(arguments)
        if answer is not None:
            self.waiting += json.dumps(answer).encode() + b"\n"

    def receive(self, seconds: float) -> bytes:
        # As sockets do: in pieces.
        piece, self.waiting = self.waiting[:7], self.waiting[7:]
        return piece


def agent(wire: Played, check: Callable[[], None] = lambda: None) -> GuestAgent:
    return GuestAgent(wire, patience=0.5, where="virt", check=check)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_agent, "TRY", 0.2)


def test_it_is_pinged_although_it_said_something_before() -> None:
    wire = Played(guest_ping={"return": {}})
    wire.late = b'{"return": "to somebody else"}\n' + DELIMITER + b'{"return": 99}\n'
    agent(wire).ping()
    assert wire.asked == [("guest-ping", {})]


def test_addresses_and_commands_are_read() -> None:
    address = {"ip-address-type": "ipv4", "ip-address": "10.0.2.15", "prefix": 24}
    wire = Played(
        guest_network_get_interfaces={"return": [{"name": "eth0", "ip-addresses": [address]}, {"name": "lo"}]},
        guest_info={
            "return": {"supported_commands": [{"name": "b", "enabled": True}, {"name": "a", "enabled": False}]}
        },
    )
    assert agent(wire).addresses() == {"eth0": ("10.0.2.15",), "lo": ()}
    assert agent(wire).commands() == ("b",)


def test_a_program_is_run_to_its_end() -> None:
    out = base64.b64encode(b"hi\n").decode()
    said = iter([{"exited": False}, {"exited": True, "exitcode": 3, "out-data": out}])
    wire = Played(
        guest_exec={"return": {"pid": 7}},
        guest_exec_status=lambda asked: {"return": next(said)} | {"id": asked["pid"]},
    )
    outcome = agent(wire).run("/user/hello", "-x", check=False)
    assert (outcome.status, outcome.out, outcome.err) == (3, "hi\n", "")
    assert wire.asked[0] == ("guest-exec", {"path": "/user/hello", "arg": ["-x"], "capture-output": True})
    said = iter([{"exited": True, "exitcode": 3, "out-data": out}])
    with pytest.raises(
        CommandFailed, match="the guest agent ran /user/hello, which ended with status 3"
    ) as caught:
        agent(wire).run("/user/hello")
    assert caught.value.status == 3
    assert "hi" in caught.value.evidence


def test_what_was_frozen_is_thawed_also_after_an_error() -> None:
    wire = Played(guest_fsfreeze_freeze={"return": 1}, guest_fsfreeze_thaw={"return": 1})
    with pytest.raises(ZeroDivisionError), agent(wire).frozen() as count:
        _ = 1 // (count - 1)
    assert [name for name, _ in wire.asked] == ["guest-fsfreeze-freeze", "guest-fsfreeze-thaw"]


def test_a_shutdown_is_not_answered() -> None:
    wire = Played()
    agent(wire).shutdown("reboot")
    assert wire.asked == [("guest-shutdown", {"mode": "reboot"})]


def test_a_refusal_is_in_its_words() -> None:
    wire = Played(
        guest_ping={"error": {"class": "CommandNotFound", "desc": "The command guest-ping has not been found"}}
    )
    with pytest.raises(CommandFailed, match="refuses guest-ping: The command guest-ping has not been found"):
        agent(wire).ping()


@pytest.mark.parametrize(("answers", "what"), [({"deaf": True}, ""), ({}, " guest-ping")])
def test_an_agent_that_is_silent_is_waited_for_and_said_so(answers: dict[str, Any], what: str) -> None:
    with pytest.raises(WaitTimeout, match=f"for the guest agent to answer{what} .*nobody has opened it") as caught:
        agent(Played(**answers)).ping()
    assert "the log of its service" in caught.value.hint


def test_a_device_that_dies_meanwhile_is_the_cause() -> None:
    def check() -> None:
        raise BootFailure("it is dead")

    with pytest.raises(BootFailure, match="it is dead"):
        agent(Played(deaf=True), check).ping()
