"""What counts as trouble with a service, by how the image wants it started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.appliance.services import FALLS, Services
from harness.boards import Budget, board
from harness.errors import ApplianceFault, WaitTimeout
from harness.firmware.voice import Voice
from harness.gokrazy.client import Device
from harness.gokrazy.expected import Expectations, expectations
from harness.gokrazy.logs import LogLine
from harness.gokrazy.status import ServiceStatus, Status
from harness.image.model import Image, Service
from harness.tests.appliance.played import HEARD

AT = "2026/11/26 00:35:10"
STARTED = f'{AT} gokrazy: attempt 0, starting ["/user/one"]'
WAITS = ServiceStatus(path="/user/one", args=(), pid=0, started=None, stopped=False, diverted="")
RUNS = ServiceStatus(
    path="/user/one", args=(), pid=7, started=datetime(2026, 1, 1, tzinfo=UTC), stopped=False, diverted=""
)


class Played(Services):
    """One service, in one state, with this log on its standard error output."""

    def __init__(
        self,
        state: ServiceStatus,
        *,
        knows: bool = True,
        log: str = "",
        on: str = "virt",
        expected: Expectations | None = None,
        isolated: bool = False,
        voice: Voice = HEARD,
        builder: str = "own",
        starts: Any = "boot",
        first: datetime | None = None,
    ) -> None:
        one = Service("/user/one", starts=starts)
        other = replace(RUNS, path="/user/other", started=first or state.started)
        self._falling, self._started_here = set(), set()
        self.image = cast(Image, SimpleNamespace(service=lambda _: one, builder=builder))
        self.board = board(on)
        self.budget = Budget()
        self.expected = expected or Expectations()
        self.remarks = {}
        self.memory_left = None
        self.knows_time = knows
        self.isolated = isolated
        self.voice = voice
        lines = [LogLine("stderr", line, 0.0) for line in log.splitlines()]
        self._played = cast(
            Device,
            SimpleNamespace(
                service=lambda _: state,
                recent_log=lambda _, **__: lines,
                restart=lambda _: None,
                status=lambda: SimpleNamespace(services=[state, other], memory={}),
                url="http://one",
            ),
        )

    @property
    def device(self) -> Device:
        return self._played

    def check(self) -> None:
        pass


@pytest.mark.parametrize("knows", [True, False])
def test_what_waits_for_the_clock_may_wait_only_where_nobody_knows_the_time(knows: bool) -> None:
    log = "1970/01/01 00:00:20 gokrazy: waiting for clock to be synced"
    assert bool(Played(WAITS, knows=knows, log=log).trouble_with("one")) is knows
    assert Played(RUNS, knows=knows, log=f"{log}\n{STARTED}").trouble_with("one") == ""


def test_what_starts_at_boot_must_run_with_or_without_the_time() -> None:
    assert "was not started" in Played(WAITS, knows=False).trouble_with("one")
    assert Played(RUNS, knows=False, log=STARTED).trouble_with("one") == ""


def test_a_log_that_does_not_come_is_no_sign_that_all_is_well() -> None:
    for state in (RUNS, FELL):
        with pytest.raises(WaitTimeout, match="and it did not come"):
            Played(state).trouble_with("one")


CHATTY = "\n".join(f"{AT} word {number}" for number in range(100))
EARLIER = datetime(2025, 12, 31, 23, 59, 30, tzinfo=UTC)


def test_who_fell_and_says_so_much_that_its_log_shows_it_no_more_is_seen_by_when_it_started() -> None:
    assert Played(RUNS, log=CHATTY).trouble_with("one") == ""
    assert "30 s after the first service" in Played(RUNS, log=CHATTY, first=EARLIER).trouble_with("one")
    expected = expectations((), ["one: restarts"])
    assert Played(RUNS, log=CHATTY, first=EARLIER, expected=expected).trouble_with("one") == ""


@pytest.mark.parametrize("why", ["builder", "starts", "clock", "log", "diverted"])
def test_who_may_have_started_late_is_not_said_to_have_fallen(why: str) -> None:
    played = Played(
        replace(RUNS, diverted="/perm/other" if why == "diverted" else ""),
        log=STARTED if why == "log" else CHATTY,
        first=EARLIER,
        builder="given" if why == "builder" else "own",
        starts="after-clock" if why == "starts" else "boot",
        knows=why != "clock",
    )
    assert played.trouble_with("one") == ""


def test_who_was_started_here_has_not_fallen() -> None:
    played = Played(RUNS, log=CHATTY, first=EARLIER)
    played.restart("one")
    assert played.trouble_with("one") == ""


def test_who_was_seen_as_another_process_has_fallen() -> None:
    played = Played(RUNS, log=CHATTY)
    played._falling.add("/user/one")
    assert "started again while the services settled" in played.trouble_with("one")


def test_how_often_it_was_started_is_what_the_log_still_says() -> None:
    later = "\n".join(f'{AT} gokrazy: attempt {number}, starting ["/user/one"]' for number in (3, 4))
    assert Played(RUNS, log=later).attempts("one") == 5
    with pytest.raises(WaitTimeout, match="does not say how often it was started"):
        Played(RUNS, log="the ring has turned").attempts("one")


# --- what falls, and what ends by itself

FELL = ServiceStatus(
    path="/user/one", args=(), pid=9, started=datetime(2026, 1, 1, tzinfo=UTC), stopped=False, diverted=""
)
LEFT = replace(FELL, stopped=True)


def log_of(*endings: tuple[str, str]) -> str:
    """The log of a service that said these words and ended so, each time."""
    lines = []
    for number, (words, ended) in enumerate(endings):
        lines += [
            f'{AT} gokrazy: attempt {number}, starting ["/user/one"]',
            f"{AT} {words}",
            f"{AT} gokrazy: {ended}",
        ]
    return "\n".join(lines)


NO_DISPLAY = ("open /dev/fb0: no such file or directory", "exit status 1")
CRASH = ("cannot parse /etc/one.conf", "exit status 1")


def test_what_misses_hardware_that_the_board_lacks_is_a_remark_and_no_trouble() -> None:
    one = Played(FELL, log=log_of(NO_DISPLAY, NO_DISPLAY))
    assert one.trouble_with("one") == ""
    assert one.remarks == {
        "needs-hardware:/user/one": "display: open /dev/fb0: no such file or directory (exit status 1)"
    }


def test_what_misses_hardware_that_the_board_has_is_in_trouble() -> None:
    one = Played(FELL, log=log_of(NO_DISPLAY, NO_DISPLAY), on="pc-bios")
    assert "says that it misses what pc-bios has: display" in one.trouble_with("one")
    assert one.remarks == {}


@pytest.mark.parametrize("falls", [[CRASH, CRASH], [NO_DISPLAY, CRASH], [CRASH, NO_DISPLAY], [CRASH]])
def test_what_crashes_for_another_reason_is_in_trouble_on_every_board(falls: list[tuple[str, str]]) -> None:
    for name in ("virt", "pc-bios"):
        one = Played(FELL, log=log_of(*falls), on=name)
        assert f"it was started {len(falls)} times" in one.trouble_with("one")
        assert one.remarks == {}


def test_what_left_with_0_is_a_remark_and_in_trouble_only_where_it_must_run() -> None:
    log = log_of(("done", "exited successfully, stopping"))
    one = Played(LEFT, log=log)
    assert one.trouble_with("one") == ""
    assert one.remarks == {"ended:/user/one": "with status 0"}
    must = Played(LEFT, log=log, expected=expectations(["one"], ()))
    assert "it must run, and it left with status 0" in must.trouble_with("one")


def test_what_left_with_125_did_so_on_purpose_and_is_no_remark() -> None:
    one = Played(LEFT, log=log_of(("not for me", "process should not be supervised, stopping")))
    assert one.trouble_with("one") == ""
    assert one.remarks == {}


def test_what_its_owner_expects_to_restart_may_and_what_must_run_may_not() -> None:
    log = log_of(CRASH, CRASH)
    one = Played(FELL, log=log, expected=expectations((), ["one: restarts"]))
    assert one.trouble_with("one") == ""
    assert one.remarks == {
        "expected:/user/one": "restarts, as expected: cannot parse /etc/one.conf (exit status 1)"
    }
    must = Played(FELL, log=log_of(NO_DISPLAY, NO_DISPLAY), expected=expectations(["/user/one"], ()))
    assert "it was started 2 times" in must.trouble_with("one")


class Late(Played):
    """A service that runs when all else has settled, and ends some time later."""

    def __init__(self, *, never: bool, expected: Expectations) -> None:
        super().__init__(RUNS, log=STARTED, expected=expected)
        self.never = never

    def wait_for_service(self, name: str, predicate: Callable[[ServiceStatus], bool], what: str) -> ServiceStatus:
        assert not predicate(RUNS)
        assert predicate(LEFT)
        if self.never:
            raise WaitTimeout(f"waited for {name} to be {what}")
        self._played = Played(LEFT, log=log_of(("done", "exited successfully, stopping"))).device
        return LEFT


def test_what_ends_after_all_else_has_settled_is_waited_for() -> None:
    assert Late(never=False, expected=expectations((), ["one: ends"])).trouble_with("one") == ""


def test_what_is_expected_to_end_must_have_ended() -> None:
    expected = expectations((), ["one: ends"])
    with pytest.raises(WaitTimeout, match="it was expected to end, and did not: "):
        Late(never=True, expected=expected).trouble_with("one")
    assert (
        Played(LEFT, log=log_of(("done", "exited successfully, stopping")), expected=expected).trouble_with("one")
        == ""
    )


NO_ROUTE = ("dial tcp 192.0.2.1:443: connect: network is unreachable", "exit status 1")
NO_NAME = (
    "dial tcp: lookup api.example.org on 10.0.2.3:53: read udp 10.0.2.15:39000->10.0.2.3:53: i/o timeout",
    "exit status 1",
)
NO_NEIGHBOUR = ("dial tcp 127.0.0.1:5432: connect: connection refused", "exit status 1")


@pytest.mark.parametrize("isolated", [True, False])
def test_what_wants_the_network_before_it_is_there_is_a_remark_and_no_trouble(isolated: bool) -> None:
    one = Played(FELL, log=log_of(NO_ROUTE, NO_ROUTE), isolated=isolated)
    assert one.trouble_with("one") == ""
    assert one.remarks == {"needs-network:/user/one": f"{NO_ROUTE[0]} (exit status 1)"}


def test_what_needs_others_is_no_trouble_where_nobody_can_be_reached() -> None:
    one = Played(FELL, log=log_of(NO_ROUTE, NO_NAME, NO_NAME), isolated=True)
    assert one.trouble_with("one") == ""
    assert set(one.remarks) == {"needs-network:/user/one"}
    assert "it was started 3 times" in Played(FELL, log=log_of(NO_NAME, NO_NAME, NO_NAME)).trouble_with("one")
    must = Played(FELL, log=log_of(NO_NAME, NO_NAME), isolated=True, expected=expectations(["one"], ()))
    assert "it was started 2 times; it fell with " in must.trouble_with("one")


def test_what_fell_until_another_program_was_there_is_a_remark_and_no_trouble() -> None:
    one = Played(FELL, log=log_of(NO_NEIGHBOUR, NO_ROUTE))
    assert one.trouble_with("one") == ""
    assert one.remarks == {"needs-network:/user/one": f"{NO_ROUTE[0]} (exit status 1)"}


@pytest.mark.parametrize("said", [NO_NEIGHBOUR, NO_ROUTE])
def test_what_does_not_come_up_in_the_end_is_in_trouble_where_others_can_be_reached(said: tuple[str, str]) -> None:
    assert "it was started 2 times" in Played(replace(FELL, pid=0), log=log_of(said, said)).trouble_with("one")
    with pytest.raises(ApplianceFault, match="/user/one does not stay up"):
        Falling(log_of(said)).wait_until_settled(calm=0.2)


@pytest.mark.parametrize("falls", [[CRASH], [NO_NAME, CRASH], [NO_ROUTE, CRASH, NO_NEIGHBOUR]])
def test_what_falls_for_other_reasons_too_is_in_trouble_without_a_network(falls: list[tuple[str, str]]) -> None:
    one = Played(FELL, log=log_of(*falls), isolated=True)
    assert f"it was started {len(falls)} times" in one.trouble_with("one")
    assert one.remarks == {}


class Falling(Played):
    """A service that has another process each time one looks, until it is settled."""

    def __init__(self, log: str, **kinds: Any) -> None:
        super().__init__(FELL, log=log, **kinds)
        self.seen = 0

    def status(self) -> Status:
        self.seen += 1
        changing = replace(FELL, pid=self.seen)
        return cast(Status, SimpleNamespace(services=(changing,), memory={}))


def test_a_wait_does_not_hang_on_what_may_fall_for_ever() -> None:
    one = Falling(log_of(NO_DISPLAY))
    one.wait_until_settled(calm=0.2)
    assert one.seen > FALLS
    assert "needs-hardware:/user/one" in one.remarks


def test_a_wait_does_not_hang_on_what_reaches_nobody() -> None:
    one = Falling(log_of(NO_NAME), isolated=True)
    one.wait_until_settled(calm=0.2)
    assert "needs-network:/user/one" in one.remarks


def test_a_wait_ends_at_once_when_something_falls_for_its_own_reasons() -> None:
    for one in (Falling(log_of(CRASH)), Falling(log_of(NO_DISPLAY), on="pc-bios")):
        with pytest.raises(ApplianceFault, match="/user/one does not stay up"):
            one.wait_until_settled(calm=0.2)


def test_the_first_line_says_which_service_fell_and_how() -> None:
    how, to_do = f"it fell with {CRASH[0]} ({CRASH[1]})", "--gk-expect one:restarts"
    with pytest.raises(ApplianceFault) as caught:
        Falling(log_of(CRASH)).wait_until_settled(calm=0.2)
    assert caught.value.what == f"/user/one does not stay up: it was started again and again; {how}"
    assert to_do in caught.value.hint
    with pytest.raises(ApplianceFault) as caught:
        Played(FELL, log=log_of(CRASH)).check_service("/user/one")
    assert caught.value.what.startswith(f"/user/one is not as it should be: it was started 1 times; {how}")
    assert to_do in caught.value.hint
    assert CRASH[0] in caught.value.evidence
    Played(RUNS, log=STARTED).check_service("/user/one")


@pytest.mark.parametrize("heard", [True, False])
def test_a_kill_is_laid_on_memory_only_where_the_kernel_could_not_say_so(heard: bool) -> None:
    voice = Voice("ttyAMA0", kernel=heard, init=heard)
    said = Played(FELL, log=log_of(("serving", "signal: killed")), voice=voice).trouble_with("one")
    assert "it fell with serving (signal: killed)" in said
    assert ("memory runs out" in said) is not heard


class Eating(Played):
    """A service that runs and takes memory, until it has enough."""

    def __init__(self, left: list[int]) -> None:
        super().__init__(RUNS, log=STARTED)
        self.left = left
        one = SimpleNamespace(services=(RUNS,), memory={})
        self._played = cast(Device, SimpleNamespace(status=lambda: self._asked(one), url="http://one"))

    def _asked(self, one: SimpleNamespace) -> SimpleNamespace:
        left = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        one.memory = {"MemAvailable": left, "MemTotal": 1000}
        return one


def test_who_still_takes_memory_has_not_settled_where_that_is_asked() -> None:
    one = Eating([900, 800, 700, 600, 500, 400, 390])
    one.wait_until_settled(calm=0.25, memory=True)
    assert one.left == [390]
    assert one.memory_left == (390, 1000)
    other = Eating([900, 800, 700, 600, 500, 400, 390])
    other.wait_until_settled(calm=0.05)
    assert len(other.left) > 1
