"""A KVM that was seen to work and breaks later: TCG goes on in the same run, and says so. KVM is played here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.boards import board
from harness.errors import AcceleratorFailed
from harness.lab.accelerators import Accelerators
from harness.lab.lab import Lab
from harness.machine import accelerator
from harness.machine.accelerator import Accelerator
from harness.machine.qemu import QemuProgram
from harness.options import Settings
from harness.tests.lab.test_lab import IMAGE

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
    monkeypatch.setattr(accelerator, "choose", lambda *a, **k: choose(*a, device=tmp_path / "kvm", **k))
    monkeypatch.setattr(Accelerators, "_kernel", lambda *_: tmp_path / "vmlinuz")
    return tried


def accelerators(settings: Settings, qemu: QemuProgram, notes: list[str]) -> Accelerators:
    none: Any = None
    return Accelerators(
        settings, run_dir=lambda: none, image=lambda _: none, qemu=lambda _: qemu, note=notes.append
    )


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


class PlayedLab(Lab):
    """A lab whose machines break when they start under KVM."""

    @contextmanager
    def _appliance(self, board: Any, image: Any, **_: Any) -> Iterator[Any]:
        name = self.accelerator(board).name
        if name == "kvm":
            raise BROKE
        yield name, self.budget(board).ready


@pytest.fixture
def lab(kvm: list[str], qemu: QemuProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedLab]:
    monkeypatch.setattr(Lab, "qemu", lambda *_: qemu)
    with PlayedLab(Settings(cache=tmp_path / "cache", artifacts=tmp_path)) as lab:
        yield lab


def test_an_appliance_whose_kvm_breaks_starts_under_tcg_with_its_time_limits(lab: PlayedLab) -> None:
    assert lab.budget(VIRT).ready == VIRT.budget.ready * accelerator.KVM_FACTOR
    with lab.appliance(VIRT, IMAGE, name="t") as appliance:
        played: Any = appliance
        assert played == ("tcg", VIRT.budget.ready)
    news = lab.news.take()
    assert json.loads(json.dumps(news))["notes"] == news["notes"]
    assert "KVM BROKE" in str(news["notes"])
    assert lab.news.take()["notes"] == []


def test_where_kvm_was_asked_for_nothing_starts_twice(lab: PlayedLab) -> None:
    lab._accelerators._settings = replace(lab.settings, accel="kvm")
    with pytest.raises(AcceleratorFailed), lab.appliance(VIRT, IMAGE, name="t"):
        pass


def test_an_accelerator_that_nobody_asked_for_has_no_name(qemu: QemuProgram) -> None:
    assert accelerators(Settings(), qemu, []).so_far("virt") == ""
    assert Accelerator("tcg", "asked for").factor == 1.0
