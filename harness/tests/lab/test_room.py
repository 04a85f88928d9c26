"""Reservations between real processes; how much the host has is made up."""

from __future__ import annotations

import queue
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from harness.errors import HostTooBusy
from harness.lab.room import HostCapacity, Room
from harness.machine.run_dir import RunDir

BIG = HostCapacity(cores=64, total=1 << 20, available=1 << 20)

OTHER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from harness.lab.room import HostCapacity, Room
    from harness.machine.run_dir import RunDir

    host = HostCapacity(cores=int(sys.argv[1]), total=8192, available=8192)
    machines = int(sys.argv[2])
    with RunDir() as run_dir:
        room = Room(run_dir, host=lambda: host)
        from contextlib import ExitStack
        with ExitStack() as stack:
            for number in range(machines):
                stack.enter_context(room.reserve(512, 3))
                print("has", number + 1, flush=True)
                sys.stdin.readline()
    """
)
LIMIT = 20.0


class Other:
    """Another process with machines; ``go`` lets it take its next step."""

    def __init__(self, *, cores: int = 2, machines: int = 1) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OTHER, str(cores), str(machines)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextmanager
def others(number: int, **given: int) -> Iterator[list[Other]]:
    made = [Other(**given) for _ in range(number)]
    try:
        yield made
    finally:
        for one in made:
            one.process.kill()
            one.process.communicate()


@pytest.fixture
def waits() -> list[float]:
    """Seconds that machines had to wait in ``room``."""
    return []


@pytest.fixture
def room(run_dir: RunDir, waits: list[float]) -> Callable[[HostCapacity], Room]:
    return lambda host: Room(run_dir, host=lambda: host, waited=waits.append)


def reserved(room: Room, started: threading.Event, done: threading.Event) -> threading.Thread:
    def take() -> None:
        with room.reserve(512, 2):
            started.set()
            done.wait(LIMIT)

    thread = threading.Thread(target=take)
    thread.start()
    return thread


def test_the_only_machine_has_room_however_small_the_host(
    room: Callable[[HostCapacity], Room], waits: list[float]
) -> None:
    tiny = room(HostCapacity(cores=1, total=256, available=10))
    with tiny.reserve(2048, 4):
        pass
    assert waits == []


@pytest.mark.parametrize(
    ("host", "short"),
    [
        (HostCapacity(cores=1, total=8192, available=8192), "processors"),
        (HostCapacity(cores=64, total=1000, available=8192), "MiB, of 800"),
        (HostCapacity(cores=64, total=8192, available=1279), "767 MiB of memory are available"),
    ],
)
def test_what_is_short_is_said_and_ends_in_an_error(run_dir: RunDir, host: HostCapacity, short: str) -> None:
    said: list[str] = []
    room = Room(run_dir, host=lambda: host, say=said.append)
    with others(1) as (other,):
        assert other.says() == "has 1"
        with pytest.raises(HostTooBusy) as caught, room.reserve(512, 2, limit=0.0):
            pass
    assert short in caught.value.evidence
    assert len(said) == 1
    assert said[0].startswith("gokrazy: waiting for room on this machine")


def test_a_host_with_room_lets_everybody_in_at_once(
    room: Callable[[HostCapacity], Room], waits: list[float]
) -> None:
    with others(2, cores=64) as (one, two):
        assert one.says() == two.says() == "has 1"
        big = room(BIG)
        with big.reserve(512, 2), big.reserve(512, 2):
            assert waits == []


@pytest.mark.parametrize("how", ["leaves", "is killed"])
def test_whoever_waits_goes_on_as_soon_as_there_is_room(
    room: Callable[[HostCapacity], Room], waits: list[float], how: str
) -> None:
    with others(1) as (other,):
        assert other.says() == "has 1"
        mine = room(HostCapacity(cores=1, total=8192, available=8192))
        started, done = threading.Event(), threading.Event()
        done.set()
        thread = reserved(mine, started, done)
        assert not started.wait(0.3)
        began = time.monotonic()
        if how == "leaves":
            other.go()
        else:
            other.process.kill()
        assert started.wait(LIMIT)
        # Woken by the end itself, not by a later look.
        assert time.monotonic() - began < 0.9
        thread.join(LIMIT)
        assert len(waits) == 1
        assert waits[0] >= 0.3


def test_two_tests_with_two_machines_each_do_not_wait_for_each_other(run_dir: RunDir) -> None:
    with others(2, cores=2, machines=2) as pair:
        # Together they have all there is, and each wants one more.
        assert [other.says() for other in pair] == ["has 1", "has 1"]
        for other in pair:
            other.go()
        assert [other.says() for other in pair] == ["has 2", "has 2"]


def test_everybody_gets_a_turn_and_never_more_than_there_is_room_for(run_dir: RunDir) -> None:
    with others(5, cores=2) as five, ExitStack() as stack:
        arrived: queue.SimpleQueue[Other] = queue.SimpleQueue()

        def listen(other: Other) -> None:
            if other.says() == "has 1":
                arrived.put(other)

        threads = [threading.Thread(target=listen, args=(other,)) for other in five]
        for thread in threads:
            thread.start()
            stack.callback(thread.join, LIMIT)
        inside = [arrived.get(timeout=LIMIT), arrived.get(timeout=LIMIT)]
        for _ in range(3):
            with pytest.raises(queue.Empty):
                arrived.get(timeout=0.2)
            inside.pop(0).go()
            inside.append(arrived.get(timeout=LIMIT))


def test_nothing_is_left_of_a_reservation(run_dir: RunDir, room: Callable[[HostCapacity], Room]) -> None:
    with room(BIG).reserve(512, 2):
        assert len(list(run_dir.path.iterdir())) == 2
    assert [path.name for path in run_dir.path.iterdir()] == ["lock"]


def test_this_host_has_something() -> None:
    host = HostCapacity.now()
    assert host.cores >= 1
    assert 0 < host.available <= host.total
    assert host.total < 1 << 30, f"MiB? {host}"
    assert Path("/proc/meminfo").exists()


def test_room_that_is_kept_is_given_to_one_machine_after_the_other_and_to_a_second_beside_it_more() -> None:
    with RunDir() as run_dir:
        room = Room(run_dir, host=lambda: BIG)

        def taken() -> int:
            return len(list(run_dir.path.glob("room-*")))

        with room.kept(512, 2):
            for _ in range(2):
                with room.reserve(512, 2):
                    assert taken() == 1
                    with room.reserve(512, 2):
                        assert taken() == 2
                assert taken() == 1
        assert taken() == 0
        with room.reserve(512, 2):
            assert taken() == 1


def test_room_for_two_machines_is_taken_before_the_first_starts_and_none_beyond_it_is() -> None:
    with RunDir() as run_dir:
        room = Room(run_dir, host=lambda: BIG)

        def taken() -> list[str]:
            return sorted(path.name.partition("-")[2].partition("-")[2] for path in run_dir.path.glob("room-*"))

        with room.kept(512, 2, machines=2):
            assert taken() == ["1024m-4c"]
            with room.reserve(512, 2), room.reserve(512, 2):
                assert taken() == ["1024m-4c"]
                with room.reserve(512, 2):
                    assert taken() == ["1024m-4c", "512m-2c"], "nobody foresaw a third one"
            assert taken() == ["1024m-4c"]
        assert taken() == []


def test_a_test_with_two_machines_waits_for_the_room_of_both(run_dir: RunDir) -> None:
    # One has three processors of the six here: there is room for the first machine, and not for the second.
    room = Room(run_dir, host=lambda: HostCapacity(cores=2, total=8192, available=8192))
    with others(1) as (other,):
        assert other.says() == "has 1"
        with room.reserve(512, 2, limit=0.0):
            pass
        started, done = threading.Event(), threading.Event()
        done.set()

        def take() -> None:
            with room.kept(512, 2, machines=2):
                started.set()
                done.wait(LIMIT)

        thread = threading.Thread(target=take)
        thread.start()
        assert not started.wait(0.3)
        other.process.kill()
        assert started.wait(LIMIT)
        thread.join(LIMIT)
