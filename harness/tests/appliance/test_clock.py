"""Setting the clock of a restored appliance: which way in is taken, and when the time is read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from harness.appliance import clock
from harness.appliance.clock import DeviceClock
from harness.boards import Budget
from harness.errors import DeviceUnreachable


class Played(DeviceClock):
    """A device with one way in that takes nine seconds to open; ``said`` is what was run, ``now`` the time."""

    def __init__(self, *, serial: bool) -> None:
        self.now = 1000.25
        self.said: list[tuple[str, str]] = []
        self.budget = Budget()
        self.clock_behind = 3600.0
        self._serial = serial

    def can(self, ability: str) -> bool:
        assert ability in ("serial-shell", "http")
        if ability == "http":
            return True
        return self._serial

    @property
    def shell(self) -> SimpleNamespace:  # type: ignore[override]
        return SimpleNamespace(open=self._open, check=lambda line: self.said.append(("serial", line)))

    @contextlib.contextmanager
    def breakglass(self) -> Iterator[SimpleNamespace]:  # type: ignore[override]
        self._open()
        yield SimpleNamespace(run=lambda line: self.said.append(("breakglass", line)))

    @property
    def device(self) -> SimpleNamespace:  # type: ignore[override]
        return SimpleNamespace(wait_until_it_answers=lambda _: 0.4)

    def _open(self) -> None:
        self.now += 9


@pytest.mark.parametrize(("serial", "way"), [(True, "serial"), (False, "breakglass")])
def test_the_time_is_read_when_the_way_in_is_open(serial: bool, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(serial=serial)
    monkeypatch.setattr(clock, "time", SimpleNamespace(time=lambda: played.now))
    played.correct_clock()
    assert played.said == [(way, "date -u -s @1010")]
    assert played.clock_behind == 0.4


def test_its_time_is_what_its_answer_says() -> None:
    played = Played(serial=False)
    behind = datetime.now(UTC) - played.read_clock()
    assert behind.total_seconds() == pytest.approx(0.4, abs=5)


def test_an_answer_without_a_date_says_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = SimpleNamespace(wait_until_it_answers=lambda _: None, url="http://there")
    monkeypatch.setattr(Played, "device", silent)
    with pytest.raises(DeviceUnreachable, match="has no date"):
        Played(serial=False).read_clock()
