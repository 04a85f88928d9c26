"""The watchdog that init says it feeds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.console.watchdog import go_seconds, watchdog_seconds

FED = '2026/11/26 19:33:47 gokrazy.go:75: found hardware watchdog "i6300ESB timer" with timeout 30s, pinging...'
LOST = "gokrazy.go:62: disabling hardware watchdog, as it could not be opened: open /dev/watchdog: no such file"


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [((FED,), 30.0), ((FED, FED.replace("30s", "1m0s"), "hello"), 60.0), ((LOST,), None), ((), None)],
)
def test_what_init_said_last_counts(lines: tuple[str, ...], seconds: float | None) -> None:
    said: Any = [SimpleNamespace(text=line) for line in lines]
    assert watchdog_seconds(said) == seconds


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30.0), ("1m30s", 90.0), ("500ms", 0.5), ("2h0m0s", 7200.0)])
def test_a_duration_of_go(text: str, seconds: float) -> None:
    assert go_seconds(text) == seconds


def test_what_is_no_duration_is_an_error() -> None:
    with pytest.raises(ValueError, match="no duration"):
        go_seconds("soon")
