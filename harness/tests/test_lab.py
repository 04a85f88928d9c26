"""What a lab hands on to its appliances, and what it tells of them. No QEMU is started here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.boards import board
from harness.lab import Lab
from harness.machine.accelerator import TCG
from harness.machine.equipment import Equipment
from harness.options import Settings

IMAGE: Any = SimpleNamespace(http_port=80, https_port=443, breakglass=None)
NEWS = "mark the test gk_reboots"


class PlayedLab(Lab):
    """A lab of appliances that are only asked for."""

    asked: list[str]
    fitted: Equipment

    def _make(self, *given: Any) -> Any:
        ram, reboots = given[-2:]
        power = SimpleNamespace(power_ons=[], rungs=[], board=given[0], in_many_threads=not reboots, check=done)
        self.fitted = given[3]
        each = {
            name: self._noted(name) for name in ("power_on", "wait_until_ready", "wait_until_at_rest", "close")
        }
        return SimpleNamespace(
            board=given[0], power=power, booted_again=True, knows_time=True, boot_times=list, ram=ram, **each
        )

    def _noted(self, name: str) -> Any:
        return lambda: self.asked.append(name)


def done() -> None:
    """Nothing was wrong."""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedLab]:
    monkeypatch.setattr(Lab, "accelerator", lambda *_: TCG)
    with PlayedLab(Settings(cache=tmp_path / "cache", artifacts=tmp_path)) as lab:
        lab.asked = []
        yield lab


@pytest.mark.parametrize(
    ("name", "reboots", "told"), [("pc-uefi", False, True), ("pc-uefi", True, False), ("virt", False, False)]
)
def test_a_copy_that_boots_again_without_having_said_so_is_named(
    lab: PlayedLab, name: str, reboots: bool, told: bool
) -> None:
    with lab.appliance(board(name), IMAGE, name="mine.py::test", running=False, reboots=reboots):
        pass
    notes = lab.news.take()["notes"]
    assert isinstance(notes, list)
    assert [("mine.py::test" in note, NEWS in note) for note in notes] == [(True, True)] * told


@pytest.mark.parametrize(("captured", "waits"), [(True, ["wait_until_at_rest"]), (False, [])])
def test_only_what_is_captured_has_to_be_at_rest(
    lab: PlayedLab, tmp_path: Path, captured: bool, waits: list[str]
) -> None:
    ram = tmp_path / "ram" if captured else None
    with lab._appliance(board("virt"), IMAGE, name="t", cold=True, ram=ram):
        pass
    assert lab.asked == ["power_on", "wait_until_ready", *waits, "close"]
