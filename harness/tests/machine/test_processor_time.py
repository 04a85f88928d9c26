from __future__ import annotations

import os
import subprocess
import time

from harness.machine.processor_time import WINDOW, ProcessorTime, ProcessorTimes, Shortage, processor_time


class Played:
    """A process that is looked at; ``at``, ``ran`` and ``waited`` are what it has by then."""

    def __init__(self) -> None:
        self.now: ProcessorTime | None = ProcessorTime(0.0, 0.0, 0.0)
        self.times = ProcessorTimes(1, lambda _: self.now)

    def at(self, at: float, ran: float, waited: float) -> None:
        self.now = ProcessorTime(at, ran, waited)
        self.times.look()


def test_a_guest_that_got_less_than_a_quarter_lacked_processors() -> None:
    played = Played()
    played.at(60.0, 10.0, 50.0)
    shortage = played.times.shortage()
    assert shortage is not None
    assert shortage.is_grave
    assert str(shortage) == "17% of the processor time that it could have used in the last 60 s"


def test_four_processors_of_a_guest_on_two_of_the_host_are_no_shortage() -> None:
    played = Played()
    played.at(60.0, 120.0, 120.0)
    shortage = played.times.shortage()
    assert shortage is not None
    assert not shortage.is_grave


def test_a_guest_that_does_nothing_lacks_nothing() -> None:
    played = Played()
    played.at(60.0, 0.2, 6.0)
    shortage = played.times.shortage()
    assert shortage is not None
    assert not shortage.is_grave


def test_what_was_long_ago_does_not_count() -> None:
    played = Played()
    played.at(50.0, 5.0, 95.0)
    played.at(60.0, 5.0, 115.0)
    played.at(60.0 + WINDOW, 100.0, 120.0)
    played.at(61.0 + WINDOW, 100.0, 120.0)
    shortage = played.times.shortage()
    assert shortage is not None
    assert shortage.seconds == WINDOW + 1
    assert not shortage.is_grave


def test_who_has_processors_again_and_does_not_use_them_lacks_none() -> None:
    played = Played()
    played.at(90.0, 10.0, 80.0)
    played.at(120.0, 10.5, 80.1)
    shortage = played.times.shortage()
    assert shortage is not None
    assert (shortage.seconds, shortage.is_grave) == (30.0, False)


def test_who_has_most_of_the_host_is_starved_by_nobody_else() -> None:
    assert Shortage(60.0, ran=59.0, waited=181.0, processors=4).is_grave
    assert not Shortage(60.0, ran=59.0, waited=181.0, processors=1).is_grave


def test_a_moment_says_nothing() -> None:
    played = Played()
    played.at(1.0, 0.1, 0.9)
    assert played.times.shortage() is None


def test_a_reset_that_takes_a_new_process_loses_no_count() -> None:
    before = Played()
    before.at(60.0, 5.0, 55.0)
    after = Played.__new__(Played)
    after.now = ProcessorTime(61.0, 0.0, 0.0)
    after.times = ProcessorTimes(2, lambda _: after.now)
    after.times.go_on_from(before.times)
    after.at(80.0, 2.0, 17.0)
    shortage = after.times.shortage()
    assert shortage is not None
    assert (shortage.seconds, shortage.ran, shortage.waited) == (80.0, 7.0, 72.0)
    assert shortage.is_grave


def test_where_nobody_counts_nobody_is_excused() -> None:
    played = Played()
    played.now = None
    played.times.look()
    assert played.times.shortage() is None


def test_the_kernel_counts_what_a_process_ran() -> None:
    before = processor_time(os.getpid())
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    after = processor_time(os.getpid())
    assert before is not None
    assert after is not None
    assert after.ran - before.ran >= 0.15
    with subprocess.Popen(["true"]) as gone:
        pass
    assert processor_time(gone.pid) is None
