"""What a lab hands on to its appliances, and what it tells of them. No QEMU is started here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.appliance.failed_starts import FailedStarts
from harness.boards import Board, board
from harness.errors import ApplianceFault, HarnessError, HostTooBusy, KernelPanic, QemuFailed, RequestRefused
from harness.image.model import Breakglass
from harness.lab.lab import Lab
from harness.lab.room import Room
from harness.machine.accelerator import TCG
from harness.machine.equipment import Equipment
from harness.machine.qemu import QemuProgram
from harness.machine.spec import Nursed
from harness.options import Settings
from harness.tests.machine.specs import NO_QEMU

NEWS = "mark the test gk_reboots"
IMAGE: Any = SimpleNamespace(
    kernel=SimpleNamespace(graphics=()),
    draws=False,
    **{"hostname": "mine", "digest": "d1", "perm": "ext4", "serial": "ttyAMA0,115200"},
    **{"http_port": 80, "https_port": 443, "breakglass": None},
)


class PlayedLab(Lab):
    """A lab of appliances that are only asked for."""

    asked: list[str]
    fitted: Equipment
    fails: dict[str, Exception] = {}  # noqa: RUF012  each test has a lab of its own, and sets it there

    @property
    def room(self) -> Any:
        """All that there is: nothing is started, so nobody needs to wait for the host."""
        return SimpleNamespace(reserve=lambda *_: nullcontext())

    def _make(self, *given: Any) -> Any:
        spec, _, name = given[:3]
        power = SimpleNamespace(
            power_ons=[], rungs=[], board=spec.board, in_many_threads=not spec.reboots, check=done
        )
        self.fitted = spec.equipment
        names = ("power_on", "wait_until_ready", "wait_until_at_rest", "take_snapshot", "close")
        each = {name: self._noted(name) for name in names}
        facts = {"booted_again": True, "knows_time": True, "boot_times": list, "folder": self._logs(name)}
        return SimpleNamespace(board=spec.board, power=power, explained=nullcontext, **facts, **each)

    def qemu(self, board: Board) -> QemuProgram:
        """Nobody starts it."""
        return NO_QEMU

    def _nurses_network(self, board: Board, image: Any) -> Nursed:
        """There is no console to hear it on."""
        return "no"

    def _noted(self, name: str) -> Any:
        def noted(*_: Any, **__: Any) -> Any:
            self.asked.append(name)
            if name in self.fails:
                raise self.fails[name]
            return (None, None)

        return noted


def done() -> None:
    """Nothing was wrong."""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedLab]:
    monkeypatch.setattr(Lab, "accelerator", lambda *_: TCG)
    # These machines take up nothing, so they wait for no room that real ones have taken.
    monkeypatch.setattr(Room, "reserve", lambda *_, **__: nullcontext())
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
    # Another run on this host may have died: that it was cleared away is a note as well.
    assert [NEWS in note for note in notes if "mine.py::test" in note] == [True] * told


@pytest.mark.parametrize(("captured", "waits"), [(True, ["wait_until_at_rest"]), (False, [])])
def test_only_what_is_captured_has_to_be_at_rest(
    lab: PlayedLab, tmp_path: Path, captured: bool, waits: list[str]
) -> None:
    ram = tmp_path / "ram" if captured else None
    with lab._appliance(board("virt"), IMAGE, name="t", cold=True, ram=ram):
        pass
    assert lab.asked == ["power_on", "wait_until_ready", *waits, "close"]


def starts(lab: PlayedLab, name: str, on: str = "virt", **wanted: Any) -> HarnessError | None:
    """Start the image for a test of this name; returns the error that the test gets, if it does."""
    try:
        with lab.appliance(board(on), wanted.pop("image", IMAGE), name=name, cold=True, **wanted):
            return None
    except HarnessError as error:
        return error


def failing(folder: Path, shared: Path, settings: Settings, **fails: Exception) -> PlayedLab:
    lab = PlayedLab(replace(settings, artifacts=folder), shared=shared)
    lab.asked, lab.fails = [], fails
    return lab


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Lab, "accelerator", lambda *_: TCG)
    return tmp_path / "shared"


@pytest.fixture
def panic() -> KernelPanic:
    return KernelPanic(
        "no root", where="mine on virt", hint="look at root=", evidence="VFS: Unable to mount root fs"
    )


def test_an_image_that_does_not_come_up_is_booted_once_and_others_get_the_same_cause(
    tmp_path: Path, shared: Path, panic: KernelPanic
) -> None:
    with (
        failing(tmp_path / "a", shared, Settings(), wait_until_ready=panic) as first,
        failing(tmp_path / "b", shared, Settings(), wait_until_ready=panic) as worker,
    ):
        assert starts(first, "one") is panic
        for lab in (first, worker):
            lab.asked.clear()
            told = starts(lab, "two")
            assert lab.asked == []
            assert type(told) is KernelPanic
            assert told.what.startswith("no root")
            assert (told.where, told.evidence) == (panic.where, "")
            assert panic.hint in told.hint
            assert str(tmp_path / "a" / "one") in told.hint
            assert "--gk-boot-again" in told.hint
        notes = first.news.take()["notes"]
        assert isinstance(notes, list)
        assert len(notes) == 1
        assert "mine on virt did not come up" in notes[0]


@pytest.mark.parametrize(
    "other",
    [{"on": "virt-uefi"}, {"image": SimpleNamespace(**{**vars(IMAGE), "digest": "d2"})}, {"network": "open"}],
    ids=str,
)
def test_what_starts_otherwise_is_booted(
    tmp_path: Path, shared: Path, panic: KernelPanic, other: dict[str, Any]
) -> None:
    with failing(tmp_path, shared, Settings(), wait_until_ready=panic) as lab:
        assert starts(lab, "one") is panic
        assert starts(lab, "two", **other) is panic


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        (Settings(boot_again=True), KernelPanic("no root")),
        (Settings(repeat=2), KernelPanic("no root")),
        (Settings(), HostTooBusy("it missed its interrupts")),
        (Settings(), QemuFailed("QEMU ended")),
    ],
)
def test_another_try_is_had_where_it_was_asked_for_or_the_host_is_to_blame(
    tmp_path: Path, shared: Path, settings: Settings, error: HarnessError
) -> None:
    with failing(tmp_path, shared, settings, wait_until_ready=error) as lab:
        assert starts(lab, "one") is error
        assert starts(lab, "two") is error


def test_what_fails_only_when_it_is_captured_still_starts_cold(tmp_path: Path, shared: Path) -> None:
    error = ApplianceFault("it crashed at rest")
    with failing(tmp_path, shared, Settings(), wait_until_at_rest=error) as lab:
        captured = lab._start_of(board("virt"), IMAGE, captured=True)
        with (
            pytest.raises(ApplianceFault),
            captured.watched(tmp_path),
            lab._appliance(board("virt"), IMAGE, name="captured", cold=True, ram=tmp_path / "ram"),
        ):
            pass
        with pytest.raises(ApplianceFault, match="it crashed at rest"):
            captured.check()
        assert starts(lab, "cold") is None


def test_a_failed_request_is_told_again_with_its_status(tmp_path: Path) -> None:
    start = FailedStarts(tmp_path, note=lambda _: None).of("mine on virt", image="d1")
    refused = RequestRefused("it says no", status=503)
    with pytest.raises(RequestRefused), start.watched(tmp_path):
        raise refused
    with pytest.raises(RequestRefused) as caught:
        start.check()
    assert caught.value.status == 503


def test_an_appliance_knows_why_nobody_can_enter_it(lab: PlayedLab) -> None:
    image: Any = SimpleNamespace(**{**vars(IMAGE), "perm": "blank", "breakglass": Breakglass()})
    with lab.appliance(board("virt"), image, name="mine", running=False) as appliance:
        assert "--gk-perm ext4" in appliance.no_key


def test_one_that_waited_for_room_learns_meanwhile_that_it_does_not_come_up(
    tmp_path: Path, shared: Path, panic: KernelPanic, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        failing(tmp_path / "a", shared, Settings(), wait_until_ready=panic) as first,
        failing(tmp_path / "b", shared, Settings()) as waits,
    ):

        @contextmanager
        def reserve(*_: int) -> Iterator[None]:
            assert starts(first, "one") is panic
            yield

        monkeypatch.setattr(PlayedLab, "room", property(lambda lab: room_of(lab, waits, reserve)))
        told = starts(waits, "two")
        assert type(told) is KernelPanic
        assert told is not panic
        assert waits.asked == []


def room_of(lab: PlayedLab, waits: PlayedLab, reserve: Callable[..., AbstractContextManager[None]]) -> Any:
    return SimpleNamespace(reserve=reserve if lab is waits else lambda *_: nullcontext())
