"""Why an appliance does not answer: by the words of QEMU, and by those that a device's own shell printed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests

from harness.appliance.why import Why, why_no_service, why_off, why_restarts, why_still, why_unreached
from harness.console.phases import Boot, Cause, Phase
from harness.errors import DeviceUnreachable, Fault, HarnessError, QemuFailed, WaitTimeout, behind, fault_of
from harness.lifetime.process import Exit
from harness.machine.ending import Ended
from harness.machine.machine import Machine
from harness.machine.ports import Port
from harness.machine.power import Power
from harness.tests.appliance.played import appliance

WELL = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel qlen 1000
    link/ether 52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff
    inet 10.0.2.15/24 brd 10.0.2.255 scope global eth0
default via 10.0.2.2 dev eth0  src 10.0.2.15
10.0.2.0/24 dev eth0 scope link  src 10.0.2.15
"""
NO_CARRIER = WELL.replace("<BROADCAST,MULTICAST,UP,LOWER_UP>", "<NO-CARRIER,BROADCAST,MULTICAST,UP>")
NO_ADDRESS = WELL.replace("inet 10.0.2.15/24 brd 10.0.2.255 scope global eth0", "inet6 fe80::1/64 scope link")
NO_ROUTE = "\n".join(line for line in WELL.splitlines() if not line.startswith(("default", "10.0")))


@pytest.mark.parametrize(
    ("said", "first"),
    [
        (NO_CARRIER, "its network card eth0 has no carrier"),
        (NO_ADDRESS, "it has no address"),
        (NO_ROUTE, "it has no route"),
    ],
)
def test_a_device_that_lost_its_network_says_what_it_lost(said: str, first: str) -> None:
    why = why_unreached(said)
    assert why is not None
    assert why.what.startswith(first)
    assert why.hint


@pytest.mark.parametrize("said", [WELL, "", "ip address; ip route: waited 10 s for the serial shell"])
def test_a_device_whose_network_is_well_or_that_says_nothing_explains_nothing(said: str) -> None:
    assert why_unreached(said) is None


def machine(status: str) -> Machine:
    def execute(*_: object, **__: object) -> dict[str, str]:
        if status == "gone":
            raise QemuFailed("it hung up")
        return {"status": status}

    return cast(Machine, SimpleNamespace(execute=execute))


def test_a_machine_that_is_paused_is_seen() -> None:
    why = why_still(machine("paused"))
    assert why is not None
    assert "it is paused" in why.what
    assert [why_still(machine(status)) for status in ("running", "gone")] == [None, None]


@pytest.mark.parametrize(
    ("phases", "restarts"),
    [([Phase.RESTART], True), ([Phase.SHUTDOWN, Phase.RESTART], False), ([Phase.KERNEL], False)],
)
def test_a_restart_that_init_knows_nothing_of_is_a_program_s(phases: list[Phase], restarts: bool) -> None:
    boots = [Boot(1, Cause.POWER_ON, 0.0, dict.fromkeys(phases, 1.0)), Boot(2, Cause.RESET, 2.0, {})]
    assert (why_restarts(boots) is not None) is restarts
    assert why_restarts([*boots, boots[1]]) is None, "that was long ago"


def booted(*phases: Phase) -> Boot:
    return Boot(1, Cause.POWER_ON, 0.0, dict.fromkeys(phases, 1.0))


def test_who_switched_it_off_is_told_apart() -> None:
    by_itself = Ended(Exit(code=0, signal=None, stderr=""), "guest-shutdown", None, 1.0)
    assert why_off(by_itself).what == "the appliance has switched itself off"
    assert "its power was cut" in why_off(None).what
    by_us = Ended(Exit(code=0, signal=None, stderr=""), "host-qmp-quit", None, 1.0)
    assert "its power was cut" in why_off(by_us).what
    # A Raspberry Pi without its watchdog can only halt; the harness then takes its power.
    assert why_off(by_us, booted(Phase.HTTP, Phase.SHUTDOWN, Phase.HALTED)).what == why_off(by_itself).what
    assert "its power was cut" in why_off(by_us, booted(Phase.HTTP)).what


def test_it_comes_before_what_was_not_answered_and_is_no_fault_of_a_busy_host() -> None:
    ours: HarnessError = WaitTimeout("waited 30 s", hint="ask again")
    Why("it is off", "switch it on").comes_before(ours)
    assert (ours.what, ours.hint, ours.overdue) == (
        "it is off; then: waited 30 s",
        "switch it on; ask again",
        False,
    )
    theirs = requests.ConnectionError("reset by peer")
    Why("it is off", "switch it on").comes_before(theirs)
    assert str(theirs) == "it is off; then: reset by peer"
    assert isinstance(behind(theirs), DeviceUnreachable)
    assert fault_of(theirs) is Fault.APPLIANCE


@pytest.mark.parametrize(
    "said",
    [
        "HTTPConnectionPool(host='127.0.0.1', port=38083): Read timed out. (read timeout=5)",
        "[Errno 111] Connect call failed ('127.0.0.1', 38083)",
        "cannot reach http://127.0.0.1:38083/",
    ],
)
def test_a_program_that_does_not_answer_is_named_by_its_port_on_the_appliance(said: str) -> None:
    ports = {Port(80): 38080, Port(8080): 38083}
    why = why_no_service(said, ports)
    assert why is not None
    assert "at its port 8080" in why.what
    assert why_no_service(said.replace("38083", "5432"), ports) is None
    assert why_no_service("No such file or directory: 'x'", ports) is None


@pytest.mark.parametrize("error", [DeviceUnreachable("no answer"), requests.ReadTimeout("timed out")])
def test_whoever_got_no_answer_reads_it_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    monkeypatch.setattr(subject.console, "wait", lambda _: None)
    monkeypatch.setattr(subject.power, "power_ons", cast(Any, [1]))
    monkeypatch.setattr(Power, "is_on", True)
    monkeypatch.setattr(Power, "machine", machine("running"))
    monkeypatch.setattr(subject, "can", lambda ability: ability == "serial-shell")
    asked: list[int] = []

    def said() -> str:
        asked.append(1)
        return NO_ROUTE

    monkeypatch.setattr(subject, "network_from_within", said)
    for _ in range(2):
        subject.explain(error)
    subject.console.close()
    assert str(error).startswith("it has no route to anybody, says the device itself; then: ")
    assert asked == [1]


@pytest.mark.parametrize(("heard", "blamed"), [(True, True), (False, False)])
def test_a_restart_is_a_program_s_only_where_init_would_be_heard_to_ask_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: bool, blamed: bool
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    subject.voice = replace(subject.voice, kernel=True, init=heard)
    monkeypatch.setattr(subject.power, "power_ons", cast(Any, [1]))
    monkeypatch.setattr(Power, "is_on", True)
    monkeypatch.setattr(Power, "machine", machine("running"))
    subject.console.close()
    monkeypatch.setattr(subject, "console", SimpleNamespace(boots=[booted(Phase.RESTART)], current=None))
    monkeypatch.setattr(subject, "can", lambda _: False)
    assert (subject._why_silent(DeviceUnreachable("no answer")) is not None) is blamed
