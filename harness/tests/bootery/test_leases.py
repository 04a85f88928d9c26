"""Who has which bakeries, and when another gets them: by a clock that stands still."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.boards import board
from harness.bootery.config import Bakery
from harness.bootery.leases import BETWEEN, RETRY, Leases
from harness.bootery.refusal import CallerGone, Refusal

ONE, OTHER = (Bakery(name, (board(name),)) for name in ("pc-bios", "pc-uefi"))
SOON = 20.0


class Peer:
    """Somebody at an address, who can go away."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.address = address
        self.gone = threading.Event()
        self._listeners: list[Any] = []

    def when_gone(self, listener: Any) -> None:
        """As Caller does."""
        self._listeners.append(listener)

    def go(self) -> None:
        """Go away."""
        self.gone.set()
        for one in self._listeners:
            one()


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Made:
    """Leases in a folder, with their clock."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self._numbers = itertools.count(1)
        self.folder = folder
        self.leases = Leases(self._folder, clock=self.clock)

    def _folder(self, name: str) -> Path:
        path = self.folder / f"{name}-{next(self._numbers)}"
        path.mkdir()
        return path

    def use(self, *bakeries: Bakery, slug: str = "a/b", peer: Any = None, patience: float = 0.0) -> Any:
        """Use them, without waiting."""
        asking: Any = peer or Peer()
        return self.leases.use(bakeries, asking, slug, patience=patience)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def test_a_host_is_one_clients_until_it_is_released(made: Made) -> None:
    first = made.use(ONE)
    with pytest.raises(Refusal, match=r"waited 0 s: others have a/b, from 127\.0\.0\.1") as caught:
        made.use(ONE, OTHER)
    assert caught.value.status == 503
    second, folder = made.use(OTHER, slug="c/d"), first.folder
    peer: Any = Peer()
    released = made.leases.release(peer, "a/b")
    assert released is first
    assert not folder.exists()
    assert second.folder.exists()
    made.use(ONE)


def test_who_waits_gets_the_host_when_it_is_released(made: Made) -> None:
    made.use(ONE)
    got: list[Any] = []
    waits = threading.Thread(target=lambda: got.append(made.use(ONE, slug="c/d", patience=SOON)))
    waits.start()
    peer: Any = Peer()
    made.leases.release(peer)
    waits.join(SOON)
    assert got[0].slug == "c/d"


def test_who_waits_may_go_away(made: Made) -> None:
    made.use(ONE)
    peer = Peer()
    seen: list[BaseException] = []

    def wait() -> None:
        try:
            made.use(ONE, peer=peer, patience=SOON)
        except CallerGone as gone:
            seen.append(gone)

    waits = threading.Thread(target=wait)
    waits.start()
    peer.go()
    waits.join(SOON)
    assert len(seen) == 1
    assert len(made.leases.open) == 1


def test_a_client_whose_test_failed_has_ended_without_a_release(made: Made) -> None:
    failed = made.use(ONE)
    failed.failed = True
    made.use(ONE)
    assert not failed.folder.exists()


def test_a_client_that_is_through_or_silent_loses_its_bakeries_after_its_time(made: Made) -> None:
    for tried, limit in (({"pc-bios"}, RETRY), (set(), BETWEEN)):
        lease = made.use(ONE)
        lease.tried = tried
        made.clock.now += limit - 1
        with pytest.raises(Refusal):
            made.use(ONE)
        made.clock.now += 1
        made.leases.end(made.use(ONE))


def test_what_nobody_comes_back_to_is_removed(made: Made) -> None:
    lease = made.use(ONE)
    made.clock.now += BETWEEN - 1
    made.leases.forget_abandoned()
    assert lease.folder.exists()
    made.clock.now += 1
    made.leases.forget_abandoned()
    assert not lease.folder.exists()
    assert made.leases.open == []


def test_nothing_is_taken_from_a_client_whose_request_is_worked_on(made: Made) -> None:
    peer: Any = Peer()
    with made.leases.request(ONE, peer) as lease:
        lease.failed = True
        made.clock.now += 10 * BETWEEN
        made.leases.forget_abandoned()
        with pytest.raises(Refusal):
            made.use(ONE)
        assert made.leases.release(peer) is None
    assert lease.last == made.clock.now
    assert made.leases.release(peer) is lease


def test_who_goes_away_in_the_middle_of_a_request_has_given_its_bakeries_up(made: Made) -> None:
    peer: Any = Peer()
    with made.leases.request(ONE, peer) as lease:
        peer.go()
        assert lease in made.leases.open
    made.use(ONE)
    assert lease not in made.leases.open


def test_another_address_is_another_client(made: Made) -> None:
    made.use(ONE)
    peer: Any = Peer("192.0.2.1")
    with pytest.raises(Refusal, match="pc-bios is in use: a/b") as caught, made.leases.request(ONE, peer):
        pass
    assert caught.value.status == 409
    assert made.leases.release(peer) is None


def test_a_release_means_who_is_through_before_who_is_not_and_before_who_failed(made: Made) -> None:
    under_way, through, failed = made.use(ONE, slug="a/a"), made.use(OTHER, slug="b/b"), None
    third = Bakery("virt", (board("virt"),))
    failed = made.use(third, slug="c/c")
    failed.failed = True
    failed.tried = {"virt"}
    through.tried = {"pc-uefi"}
    peer: Any = Peer()
    assert made.leases.release(peer) is through
    assert under_way in made.leases.open


def test_requests_for_one_host_are_one_after_another(made: Made) -> None:
    peer: Any = Peer()
    order: list[str] = []

    def second() -> None:
        with made.leases.request(ONE, peer):
            order.append("second")

    with made.leases.request(ONE, peer):
        waits = threading.Thread(target=second)
        waits.start()
        waits.join(0.2)
        order.append("first")
    waits.join(SOON)
    assert order == ["first", "second"]
