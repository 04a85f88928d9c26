"""What a lab hands on to its appliances, and what it tells of them. No QEMU is started here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.appliance.failed_starts import FailedStarts
from harness.boards import board
from harness.errors import (
    AcceleratorFailed,
    ApplianceFault,
    HarnessError,
    HostTooBusy,
    InternalError,
    KernelPanic,
    OptionError,
    QemuFailed,
    RequestRefused,
)
from harness.image.model import Breakglass
from harness.lab.lab import Lab
from harness.machine.accelerator import Accelerator
from harness.machine.run_dir import RunDir
from harness.options import Settings
from harness.tests.lab.played import IMAGE, PlayedLab, wanted

NEWS = "mark the test gk_reboots"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[PlayedLab]:
    with PlayedLab(Settings(cache=tmp_path / "cache", artifacts=tmp_path)) as lab:
        yield lab


@pytest.mark.parametrize(
    ("name", "reboots", "told"), [("pc-uefi", False, True), ("pc-uefi", True, False), ("virt", False, False)]
)
def test_a_copy_that_boots_again_without_having_said_so_is_named(
    lab: PlayedLab, name: str, reboots: bool, told: bool
) -> None:
    with lab.appliance(wanted("mine.py::test", name, running=False, reboots=reboots)):
        pass
    notes = lab.journal.take()["notes"]
    assert isinstance(notes, list)
    # Another run on this host may have died: that it was cleared away is a note as well.
    assert [NEWS in note for note in notes if "mine.py::test" in note] == [True] * told


@pytest.fixture
def captures(lab: PlayedLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was captured before."""
    made: Any = SimpleNamespace(
        get=lambda facts, image, boot: boot(tmp_path, tmp_path), firmware=lambda *_: "f1", close=lambda: None
    )
    lab.played.snapshots = made
    monkeypatch.setattr("harness.lab.starts.identity", lambda *_, **__: {})


def test_who_starts_cold_does_not_wait_for_it_to_be_at_rest(lab: PlayedLab) -> None:
    with lab.appliance(wanted("t", cold=True)):
        pass
    assert lab.played.asked == ["power_on", "wait_until_ready", "close"]


@pytest.mark.parametrize(
    ("name", "waits"),
    [
        ("virt", ["wait_until_ready", "wait_until_at_rest"]),
        ("raspi4b", ["wait_until_it_runs", "wait_until_quiet"]),
    ],
)
@pytest.mark.usefixtures("captures")
def test_what_is_captured_has_to_be_at_rest_and_its_copies_go_on_from_there(
    lab: PlayedLab, name: str, waits: list[str]
) -> None:
    with lab.appliance(wanted("t", name)):
        pass
    assert lab.played.asked == ["power_on", *waits, "take_snapshot", "close", "restore", "close"]
    captured, copy = lab.played.specs
    assert (captured.for_snapshot, copy.for_snapshot) == (True, False)
    assert captured.nurse_network == copy.nurse_network == ("console" if name == "raspi4b" else "no")


@pytest.mark.usefixtures("captures")
def test_one_that_is_off_is_neither_started_nor_copied(lab: PlayedLab) -> None:
    with lab.appliance(wanted("t", running=False)):
        pass
    assert lab.played.asked == ["close"]


def starts(lab: PlayedLab, name: str, on: str = "virt", **asked: Any) -> HarnessError | None:
    """Start the image for a test of this name; returns the error that the test gets, if it does."""
    try:
        with lab.appliance(wanted(name, on, cold=True, **asked)):
            return None
    except HarnessError as error:
        return error


def failing(folder: Path, shared: Path, settings: Settings, **fails: Exception) -> PlayedLab:
    return PlayedLab(replace(settings, artifacts=folder), shared=shared, **fails)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
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
            lab.played.asked.clear()
            told = starts(lab, "two")
            assert lab.played.asked == []
            assert type(told) is KernelPanic
            assert told.what.startswith("no root")
            assert (told.where, told.evidence) == (panic.where, "")
            assert panic.hint in told.hint
            assert str(tmp_path / "a" / "one") in told.hint
            assert "--gk-boot-again" in told.hint
        notes = first.journal.take()["notes"]
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


@pytest.mark.usefixtures("captures")
def test_what_fails_only_when_it_is_captured_still_starts_cold(lab: PlayedLab) -> None:
    lab.played.fails = {"wait_until_at_rest": ApplianceFault("it crashed at rest")}
    boot = ["power_on", "wait_until_ready", "wait_until_at_rest", "look_at_screen", "close"]
    for asked in (boot, []):
        lab.played.asked.clear()
        with pytest.raises(ApplianceFault, match="it crashed at rest"), lab.appliance(wanted("warm")):
            pass
        assert lab.played.asked == asked
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
    with lab.appliance(wanted("mine", running=False, image=image)) as appliance:
        played: Any = appliance
        assert "--gk-perm ext4" in played.key.refusal


def test_one_that_waited_for_room_learns_meanwhile_that_it_does_not_come_up(
    tmp_path: Path, shared: Path, panic: KernelPanic
) -> None:
    with (
        failing(tmp_path / "a", shared, Settings(), wait_until_ready=panic) as first,
        failing(tmp_path / "b", shared, Settings()) as waits,
    ):

        @contextmanager
        def reserve(*_: int) -> Iterator[None]:
            assert starts(first, "one") is panic
            yield

        waits.played.room = SimpleNamespace(reserve=reserve)
        told = starts(waits, "two")
        assert type(told) is KernelPanic
        assert told is not panic
        assert waits.played.asked == []


def test_a_test_with_two_machines_has_room_for_both_before_the_first_one_starts(lab: PlayedLab) -> None:
    taken: list[str] = []

    @contextmanager
    def room(what: str, memory: int, cpus: int, machines: int = 1) -> Iterator[None]:
        taken.append(f"{what} {machines} x {memory} MiB, {cpus}, after {lab.played.asked}")
        yield

    lab.played.room = SimpleNamespace(kept=partial(room, "kept"), reserve=partial(room, "a place for"))
    first = wanted("mine", image=IMAGE, machines=2, cold=True)
    with lab.appliance(first), lab.appliance(replace(first.of_second("hello"), image=IMAGE)):
        pass
    size = f"{first.board.memory} MiB, {first.board.cpus}"
    kept, one, other = taken
    assert kept == f"kept 2 x {size}, after []"
    assert one == f"a place for 1 x {size}, after []"
    assert other.startswith(f"a place for 1 x {size}, after ['")


@pytest.mark.parametrize(
    ("error", "stops"),
    [(KernelPanic("no root"), True), (QemuFailed("QEMU ended"), True), (AcceleratorFailed("KVM broke"), False)],
    ids=str,
)
def test_whoever_wants_to_look_gets_what_did_not_come_up_before_it_ends(
    tmp_path: Path, shared: Path, error: HarnessError, stops: bool
) -> None:
    with failing(tmp_path, shared, Settings(), wait_until_ready=error) as lab:
        seen: list[list[str]] = []
        lab.played.failed_start = lambda _, cause: seen.append([*lab.played.asked, str(cause)])
        # What breaks under KVM is started again: nobody is to look at that.
        lab.played.accelerators.fall_back = lambda *_: None
        assert starts(lab, "one") is error
        assert bool(seen) is stops
        assert all(asked == ["power_on", "wait_until_ready", "look_at_screen", str(error)] for asked in seen)
        assert lab.played.asked[-1] == "close"


@pytest.mark.usefixtures("captures")
def test_it_is_known_before_whether_one_starts_from_a_snapshot(lab: PlayedLab) -> None:
    assert lab.starts_warm(wanted("t"))
    assert not lab.starts_warm(wanted("t", running=False))
    assert not lab.starts_warm(wanted("t", cold=True))
    assert lab.played.asked == []


def test_an_abandoned_lab_starts_no_machine_any_more(run_dir: RunDir) -> None:
    assert run_dir.path.is_dir()
    with Lab(Settings()) as lab:
        sleeps = lab.folders.run_dir.guard.spawn(["sleep", "600"])
        lab.abandon()
        ended = sleeps.wait(20.0)
        assert ended is not None
        with pytest.raises(InternalError):
            lab.folders.run_dir.guard.spawn(["true"])


def test_parts_that_take_kvm_are_refused_before_anything_starts_where_there_is_none(lab: PlayedLab) -> None:
    with (
        pytest.raises(OptionError, match="pc-bios can have microvm with KVM only") as caught,
        lab.appliance(wanted("t", "pc-bios:8cpus+microvm")),
    ):
        pass
    assert caught.value.where == "pc-bios:8cpus+microvm"
    assert lab.played.specs == []
    lab.played.accelerators = SimpleNamespace(of=lambda _: Accelerator("kvm", "it is there"))
    lab.played.check_parts(board("pc-bios:microvm"))
