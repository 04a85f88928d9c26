from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.console.feed import LONGEST_MATCH, Feed
from harness.console.recording import Recording


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    made = Recording(tmp_path, clock=time.monotonic)
    yield made
    made.close()


@pytest.fixture
def feed(recording: Recording) -> Iterator[Feed]:
    made = Feed(recording)
    yield made
    made.close()


def look(feed: Feed, pattern: str, timeout: float = 5.0) -> re.Match[str]:
    return feed.expect([re.compile(pattern)], timeout, lambda: None).match


def test_nobody_reading_never_blocks_and_loses_nothing(recording: Recording, feed: Feed) -> None:
    for number in range(50_000):  # some 700 kB, ten pipes full
        recording.append(b"line %d\r\n" % number)
        if number % 100 == 0:
            feed.pump()

    assert look(feed, "line 1234\r")[0] == "line 1234\r"
    assert look(feed, "line 49999\r")[0] == "line 49999\r"
    assert "line 49998\r\n" in (feed.spawn.before or "")
    assert (feed.spawn.before or "").count("\n") == 49999 - 1234


def test_what_an_unsuccessful_wait_read_can_still_match(recording: Recording, feed: Feed) -> None:
    recording.append(b"early\r\n" + b"x" * 100_000)
    with pytest.raises(TimeoutError):
        look(feed, "never", 0.05)
    assert look(feed, "early")[0] == "early"


def test_a_match_may_arrive_in_pieces(recording: Recording, feed: Feed) -> None:
    def trickle() -> None:
        for byte in b"one two three\r\n":
            recording.append(bytes([byte]))
            feed.pump()

    thread = threading.Thread(target=trickle)
    thread.start()
    assert look(feed, r"o(n)e.*three\r\n")[1] == "n"
    thread.join()


def test_a_long_match_is_found_up_to_its_limit(recording: Recording, feed: Feed) -> None:
    recording.append(b"<" + b"-" * (LONGEST_MATCH - 10))
    with pytest.raises(TimeoutError):
        look(feed, "<-*>", 0.05)
    recording.append(b">")
    assert len(look(feed, "<-*>")[0]) == LONGEST_MATCH - 8


def test_the_earliest_of_several_wins(recording: Recording, feed: Feed) -> None:
    recording.append(b"b then a")
    assert feed.expect([re.compile("a"), re.compile("b")], 1.0, lambda: None).index == 1


def test_skip_forgets_what_is_anywhere_on_its_way(recording: Recording, feed: Feed) -> None:
    recording.append(b"in pexpect ")
    with pytest.raises(TimeoutError):
        look(feed, "never", 0.05)
    recording.append(b"in the pipe " * 10)
    feed.pump()
    recording.append(b"in the recording")
    feed.skip()
    recording.append(b"new")
    with pytest.raises(TimeoutError):
        look(feed, "in", 0.05)
    assert look(feed, "new").start() == 0


def test_waking_ends_a_wait_at_once(feed: Feed) -> None:
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise RuntimeError("stopped")

    def end() -> None:
        stop.set()
        feed.wake()

    threading.Timer(0.1, end).start()
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="stopped"):
        feed.expect([re.compile("never")], 30.0, check)
    assert time.monotonic() - began < 5


def test_many_chunks_are_not_searched_again_and_again(recording: Recording, feed: Feed) -> None:
    def talk() -> None:
        for number in range(4000):
            recording.append(b"[    1.000000] a line of the kernel %d\r\n" % number)
            feed.pump()

    thread = threading.Thread(target=talk)
    began = time.process_time()
    thread.start()
    look(feed, r"kernel (3999)\r", 30.0)
    thread.join()
    assert time.process_time() - began < 3.0
