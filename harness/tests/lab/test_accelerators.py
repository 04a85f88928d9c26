"""A KVM that was seen to work and breaks later: TCG goes on in the same run, and says so. KVM is played here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.boards import board
from harness.errors import AcceleratorFailed
from harness.lab.accelerators import Accelerators
from harness.lab.journal import Journal
from harness.lab.plan import Plan
from harness.machine import accelerator
from harness.machine.accelerator import Accelerator
from harness.machine.qemu import QemuProgram
from harness.options import Settings
from harness.tests.lab.played import PlayedLab, PlayedStarts, wanted

VIRT = board("virt")
BROKE = AcceleratorFailed("QEMU's accelerator kvm gave up", evidence="KVM internal error. Suberror: 1")


@pytest.fixture
def qemu(tmp_path: Path) -> QemuProgram:
    program = tmp_path / "qemu"
    program.write_bytes(b"a program")
    return QemuProgram(program, "10.0", frozenset(), True)


@pytest.fixture
def kvm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A host whose KVM runs this board's kernel; the list has an entry for each time it was tried."""
    tried: list[str] = []

    def probe(*_: object) -> accelerator.Trial:
        tried.append("virt")
        return accelerator.Trial(True, "seen to run this kernel in 0.9 s")

    monkeypatch.setattr(accelerator, "probe", probe)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    (tmp_path / "kvm").touch()
    choose = accelerator.choose
    with_kvm = partial(choose, device=tmp_path / "kvm")
    monkeypatch.setattr("harness.lab.accelerators.choose", with_kvm)
    monkeypatch.setattr(Accelerators, "_kernel", lambda *_: tmp_path / "vmlinuz")
    return tried


def accelerators(settings: Settings, qemu: QemuProgram, notes: list[str]) -> Accelerators:
    nothing: Any = SimpleNamespace(run_dir=None)
    qemus: Any = SimpleNamespace(of=lambda _: qemu)
    journal = Journal(lambda line: notes.append(line.removeprefix("gokrazy: ")))
    return Accelerators(settings, nothing, nothing, qemus, journal)


def test_kvm_is_tried_once_until_the_host_boots_again(
    kvm: list[str], qemu: QemuProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(cache=tmp_path / "cache")
    for _ in range(3):  # three runs
        chosen = accelerators(settings, qemu, []).of(VIRT)
        assert (chosen.name, chosen.reason) == ("kvm", "seen to run this kernel in 0.9 s")
    assert kvm == ["virt"]
    (tmp_path / "boot_id").write_text("another boot")
    monkeypatch.setattr(accelerator, "BOOT_ID", tmp_path / "boot_id")
    accelerators(settings, qemu, []).of(VIRT)
    assert len(kvm) == 2


def test_a_kvm_that_breaks_is_given_up_in_this_run_and_the_next(
    kvm: list[str], qemu: QemuProgram, tmp_path: Path
) -> None:
    settings = Settings(cache=tmp_path / "cache")
    notes: list[str] = []
    mine = accelerators(settings, qemu, notes)
    assert mine.of(VIRT).name == "kvm"
    mine.fall_back(VIRT, BROKE)
    assert mine.of(VIRT).name == mine.so_far("virt") == "tcg"
    assert "Suberror: 1" in mine.of(VIRT).reason
    assert len(notes) == 1
    assert notes[0].startswith("virt: KVM BROKE")
    later = accelerators(settings, qemu, []).of(VIRT)
    assert later.name == "tcg"
    assert "Suberror: 1" in later.reason
    assert len(kvm) == 1


def test_a_kvm_that_was_asked_for_and_breaks_is_an_error(
    kvm: list[str], qemu: QemuProgram, tmp_path: Path
) -> None:
    mine = accelerators(Settings(cache=tmp_path / "cache", accel="kvm"), qemu, [])
    assert mine.of(VIRT).name == "kvm"
    with pytest.raises(AcceleratorFailed):
        mine.fall_back(VIRT, BROKE)
    assert mine.of(VIRT).name == "kvm"


def test_tcg_does_not_fall_back_to_itself(qemu: QemuProgram, tmp_path: Path) -> None:
    mine = accelerators(Settings(cache=tmp_path / "cache", accel="tcg"), qemu, [])
    with pytest.raises(AcceleratorFailed):
        mine.fall_back(VIRT, BROKE)


class BrokenKvm(PlayedStarts):
    """Machines that break when they start under KVM."""

    @contextmanager
    def _started(self, plan: Plan) -> Iterator[Any]:
        spec = self._spec(plan)
        if spec.accelerator.name == "kvm":
            raise BROKE
        yield spec.accelerator.name, self._budget(spec).ready


@pytest.fixture
def starts(kvm: list[str], qemu: QemuProgram, tmp_path: Path) -> Iterator[BrokenKvm]:
    settings = Settings(cache=tmp_path / "cache", artifacts=tmp_path)
    lab = PlayedLab(settings)
    starts = BrokenKvm(settings, lab.folders, lab.images, lab.journal, shared=None)
    starts.qemus.of = lambda _: qemu
    starts.accelerators = Accelerators(settings, lab.folders, lab.images, starts.qemus, lab.journal)
    with lab:
        yield starts


def test_an_appliance_whose_kvm_breaks_starts_under_tcg_with_its_time_limits(starts: BrokenKvm) -> None:
    assert starts.accelerators.of(VIRT).factor == accelerator.KVM_FACTOR
    with starts.appliance(wanted("t")) as appliance:
        played: Any = appliance
        assert played == ("tcg", VIRT.budget.ready)
    news = starts.journal.take()
    assert json.loads(json.dumps(news))["notes"] == news["notes"]
    assert "KVM BROKE" in str(news["notes"])
    assert starts.journal.take()["notes"] == []


def test_where_kvm_was_asked_for_nothing_starts_twice(starts: BrokenKvm) -> None:
    starts.accelerators._settings = replace(starts.settings, accel="kvm")
    with pytest.raises(AcceleratorFailed), starts.appliance(wanted("t")):
        pass


def test_an_accelerator_that_nobody_asked_for_has_no_name(qemu: QemuProgram) -> None:
    assert accelerators(Settings(), qemu, []).so_far("virt") == ""
    assert Accelerator("tcg", "asked for").factor == 1.0
