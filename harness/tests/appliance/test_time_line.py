"""The time line: what happened is kept in words, in order, within bounds, and without passwords."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import execnet
import pytest

from harness.appliance.story import LONGEST as LONGEST_LINE
from harness.appliance.story import MOST_BYTES, story
from harness.appliance.time_line import HIDDEN, LONGEST, MOST, SOON, Kind, Lane, TimeLine
from harness.appliance.witness import Witness
from harness.console.console import Console
from harness.console.phases import Cause
from harness.errors import QemuFailed
from harness.gokrazy.breakglass import Talk
from harness.gokrazy.status import ServiceStatus, Status
from harness.gokrazy.transport import Answer, Exchange, NoAnswer, Trouble
from harness.lifetime.process import Exit
from harness.machine.ending import Ended
from harness.machine.power import PowerOn
from harness.machine.qmp import Event


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def line(clock: Clock) -> TimeLine:
    return TimeLine(clock)


def told(line: TimeLine) -> list[tuple[float, str, str]]:
    return [(one.at, one.lane.value, one.text) for one in line.happenings]


def test_what_happens_is_kept_by_time_in_seconds_since_its_beginning(line: TimeLine, clock: Clock) -> None:
    clock.now += 2
    line.add("power", "later")
    line.add(Lane.HTTP, "earlier", at=1001.0, end=1001.5)
    assert told(line) == [(1.0, "http", "earlier"), (2.0, "power", "later")]
    assert line.happenings[0].end == 1.5
    with pytest.raises(ValueError, match="no-such-lane"):
        line.add("no-such-lane", "x")


def test_the_same_in_a_row_is_one_that_lasts(line: TimeLine, clock: Clock) -> None:
    for _ in range(3):
        line.add(Lane.HTTP, "GET /: connection refused", at=clock.now, end=clock.now + 0.1)
        clock.now += 1
    line.add(Lane.HTTP, "GET /: 200")
    line.add(Lane.HTTP, "GET /: connection refused")
    assert [(one.text, one.times) for one in line.happenings] == [
        ("GET /: connection refused", 3),
        ("GET /: 200", 1),
        ("GET /: connection refused", 1),
    ]
    assert line.happenings[0].end == pytest.approx(2.1)
    clock.now += SOON + 0.1
    line.add(Lane.HTTP, "GET /: connection refused")
    assert [one.times for one in line.happenings] == [3, 1, 1, 1], "long after is another time"


def test_what_lasts_ends_once_and_what_fails_within_is_marked(line: TimeLine, clock: Clock) -> None:
    with line.during("notes", "a step"):
        clock.now += 3
        assert line.happenings[0].lasts
    with pytest.raises(RuntimeError), line.during("notes", "another"):
        raise RuntimeError
    first, second = line.happenings
    assert (first.lasts, first.end, first.kind) == (False, 3.0, Kind.USUAL)
    assert second.kind is Kind.FAILED
    clock.now += 5
    line.over(first)
    assert first.end == 3.0
    for _ in range(2):
        with line.during("faults", "the processors stand still"):
            clock.now += 1
    assert [one.times for one in line.happenings[2:]] == [1, 1], "each fault is one of its own"


def test_it_is_bounded_in_number_and_length_and_says_what_it_dropped(line: TimeLine) -> None:
    for number in range(MOST + 7):
        line.add(Lane.QEMU, f"{number} " + "x" * 2 * LONGEST)
    assert len(line.happenings) == MOST
    assert {len(one.text) for one in line.happenings} == {LONGEST}
    assert line.left_out == {Lane.QEMU: 7}
    assert any(one.text.startswith(f"{MOST + 6} ") for one in line.happenings), "the last ones are kept"


def test_a_password_is_never_told_and_a_word_too_short_is_no_password(line: TimeLine) -> None:
    line.keep_secret("geheim")
    line.keep_secret("abc")
    line.keep_secret(None)
    line.add(Lane.SSH, "run echo geheim abc")
    assert told(line)[0][2] == f"run echo {HIDDEN} abc"


def test_a_witness_puts_the_machine_into_words(line: TimeLine, clock: Clock) -> None:
    witness = Witness(line)
    nothing: Any = None
    witness.machine(PowerOn(1, "power-on", True, 1000.0, nothing))
    witness.machine(PowerOn(2, "guest-reset", False, 1001.0, nothing))
    witness.machine(Event("RTC_CHANGE", {"offset": 1}, 1002.0))
    witness.machine(Event("BLOCK_IO_ERROR", {"device": "disk", "nospace": False, "reason": "bad"}, 1003.0))
    clock.now = 1004.0
    witness.machine(QemuFailed("it ended by itself"))
    witness.machine(Ended(Exit(0, None, ""), "host-qmp-quit", None, 1005.0))
    assert told(line) == [
        (0.0, "power", "start 1: power-on"),
        (1.0, "power", "start 2: guest-reset, in the same QEMU"),
        (3.0, "qemu", "BLOCK_IO_ERROR: device disk, reason bad"),
        (4.0, "power", "it ended by itself"),
        (5.0, "power", "off: host-qmp-quit"),
    ]
    assert [one.kind.value for one in line.happenings] == ["", "", "noted", "fatal", ""]


def test_a_witness_puts_requests_and_ssh_into_words(line: TimeLine, clock: Clock) -> None:
    witness = Witness(line)
    refused = NoAnswer(Trouble.REFUSED, "")
    answer = Answer("GET", "http://x/", 200, {}, b"", 0.1)
    witness.web(Exchange("GET", "/status?path=%2Fuser%2Fhello", 1000.0, 1000.5, refused))
    witness.web(Exchange("GET", "/", 1001.0, 1001.25, answer))
    clock.now = 1003.0
    witness.ssh(Talk("run uname", 1002.0, "status 0", well=True))
    witness.ssh(Talk("connect", 1002.5, "the device refused the key", well=False))
    assert told(line) == [
        (0.0, "http", "GET /status?path=%2Fuser%2Fhello: connection refused"),
        (1.0, "http", "GET /: 200"),
        (2.0, "ssh", "run uname: status 0"),
        (2.5, "ssh", "connect: the device refused the key"),
    ]
    assert [one.kind.value for one in line.happenings] == ["noted", "", "", "noted"]
    assert [one.end for one in line.happenings] == [0.5, 1.25, 3.0, 3.0]


def status(*services: ServiceStatus) -> Status:
    made = Status.__new__(Status)
    object.__setattr__(made, "services", services)
    object.__setattr__(made, "supervising", True)
    return made


def service(pid: int, *, stopped: bool = False) -> ServiceStatus:
    return ServiceStatus("/user/hello", (), pid, datetime.now(UTC), stopped)


def test_services_that_come_and_go_are_told_once_each(line: TimeLine, clock: Clock) -> None:
    witness = Witness(line)
    for one in (
        service(7),
        service(7),
        service(9),
        service(9, stopped=True),
        service(9, stopped=True),
        service(11),
    ):
        clock.now += 1
        witness.web(status(one))
    assert [text for _, _, text in told(line)] == [
        "hello runs as 7",
        "hello runs anew, as 9",
        "hello stopped",
        "hello runs as 11",
    ]


def test_an_upload_is_told_in_ten_steps(line: TimeLine) -> None:
    witness = Witness(line)
    for _ in range(2):
        for sent in range(0, 1001):
            witness.sent("/update/root", sent * 1000, 1_000_000)
    texts = [one.text for one in line.happenings]
    assert texts == [f"/update/root: {step} % of 1.0 MB sent" for step in range(10, 110, 10)] * 2
    assert witness.uploaded == 2_000_000


def test_uploads_to_several_endpoints_add_up_whole_or_cut_off(line: TimeLine) -> None:
    witness = Witness(line)
    for endpoint, sent in (("root", 60), ("root", 100), ("boot", 40), ("root", 30), ("root", 50), ("boot", 40)):
        witness.sent(f"/update/{endpoint}", sent, 100)
    assert witness.uploaded == 100 + 40 + 50 + 40


# -- with boots and console


def start(console: Console, clock: Clock, cause: Cause = Cause.POWER_ON) -> None:
    with console._changed:
        console._intake.machine_started(cause, None)
    clock.now += 0.5
    console.powered_on()


def say(console: Console, clock: Clock, seconds: float, text: str) -> None:
    clock.now += seconds
    console._intake.data(text.encode() + b"\r\n")


def test_the_story_has_boots_and_console_at_their_moments_over_power_cycles(
    line: TimeLine, clock: Clock, tmp_path: Path
) -> None:
    console = Console(tmp_path, clock=clock)
    for _ in range(2):
        start(console, clock)
        say(console, clock, 1.0, "[    0.000000] Linux version 7.1.2 (x) #1")
        say(console, clock, 2.0, "2026/01/01 00:00:00 gokrazy.go:1: gokrazy build timestamp 2026")
        clock.now += 10
    console.close()
    made = story(line, console)
    boots = [(one["at"], one.get("end"), one["text"]) for one in made["happenings"] if one["lane"] == "boot"]
    assert boots == [
        (0.5, None, "boot 1 (power-on)"),
        (0.5, 1.5, "boot 1: until kernel, 1.0 s"),
        (1.5, 3.5, "boot 1: until build timestamp, 3.0 s"),
        (14.0, None, "boot 2 (power-on)"),
        (14.0, 15.0, "boot 2: until kernel, 1.0 s"),
        (15.0, 17.0, "boot 2: until build timestamp, 3.0 s"),
    ]
    said = [(at, who) for at, who, _ in made["console"]]
    assert said == [
        *((0.5, "mark"), (0.5, "mark"), (1.5, "kernel"), (3.5, "program")),
        *((14.0, "mark"), (14.0, "mark"), (15.0, "kernel"), (17.0, "program")),
    ]


def test_the_story_shows_the_death_and_what_is_around_it(line: TimeLine, clock: Clock, tmp_path: Path) -> None:
    line.keep_secret("geheim")
    console = Console(tmp_path, clock=clock)
    start(console, clock)
    say(console, clock, 0.5, "[    0.000000] Linux version 7.1.2 (x) #1")
    for number in range(500):
        say(console, clock, 0.01, f"[    1.{number:06}] driver {number} is geheim {'y' * 400}")
    say(console, clock, 0.5, "[    7.000000] Kernel panic - not syncing: Fatal exception in interrupt")
    for number in range(500):
        say(console, clock, 0.01, f"after {number}")
    console.close()
    made = story(line, console)
    fatal = [one for one in made["happenings"] if one.get("kind") == "fatal" and one["lane"] == "console"]
    assert [one["at"] for one in fatal] == [pytest.approx(6.5, abs=0.01)]
    texts = [text for _, _, text in made["console"]]
    at = next(number for number, row in enumerate(made["console"]) if row[1] == "finding")
    assert "Kernel panic" in texts[at]
    assert "driver 499" in texts[at - 1]
    assert texts[at + 1] == "after 0"
    assert texts[-1] == "after 499"
    assert any(row[1] == "gap" for row in made["console"])
    assert HIDDEN in texts[at - 1]
    assert "geheim" not in str(made)
    assert max(map(len, texts)) <= LONGEST_LINE
    assert sum(len(text) for text in texts) < MOST_BYTES
    assert execnet.loads(execnet.dumps(made)) == made, "it must travel from a worker of pytest-xdist"


def test_a_death_that_was_provoked_is_no_failure_of_the_time_line(
    line: TimeLine, clock: Clock, tmp_path: Path
) -> None:
    console = Console(tmp_path, clock=clock)
    start(console, clock)
    say(console, clock, 0.5, "[    0.000000] Linux version 7.1.2 (x) #1")
    console._intake.provoking = True
    say(console, clock, 0.5, "[    7.000000] Kernel panic - not syncing: sysrq triggered crash")
    console.close()
    made = story(line, console)
    assert {one.get("kind") for one in made["happenings"]} == {None, "noted"}
    assert any("(provoked)" in one["text"] for one in made["happenings"])


def test_a_flood_leaves_the_lines_around_the_death(line: TimeLine, clock: Clock, tmp_path: Path) -> None:
    console = Console(tmp_path, clock=clock)
    start(console, clock)
    say(console, clock, 0.5, "[    0.000000] Linux version 7.1.2 (x) #1")
    say(console, clock, 0.5, "[    7.000000] Kernel panic - not syncing: Fatal exception in interrupt")
    for number in range(3000):
        console._intake.data(f"{number} {'z' * 290}\r\n".encode())
    console.close()
    made = story(line, console)
    assert [row[1] for row in made["console"]].count("finding") == 1
    assert sum(len(text) for _, _, text in made["console"]) < MOST_BYTES
