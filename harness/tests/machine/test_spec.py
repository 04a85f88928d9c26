"""What one record says of a machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.boards import board
from harness.machine.equipment import Equipment
from harness.tests.machine.specs import NO_QEMU, spec_of


@pytest.mark.parametrize(
    ("name", "reboots", "booted", "restored"),
    [
        ("pc-bios", False, "single", "multi"),
        ("pc-uefi", True, "single", "single"),
        ("virt", False, "multi", "multi"),
        ("virt", True, "multi", "multi"),
    ],
)
def test_a_pc_has_one_thread_while_it_boots(name: str, reboots: bool, booted: str, restored: str) -> None:
    spec = spec_of(name, qemu=NO_QEMU, reboots=reboots)
    assert (spec.threads(restored=False), spec.threads(restored=True)) == (booted, restored)


@pytest.mark.parametrize(("host", "booted"), [(2, "single"), (4, "multi")])
def test_a_raspberry_pi_has_one_thread_while_it_boots_on_fewer_processors(
    monkeypatch: pytest.MonkeyPatch, host: int, booted: str
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(host)))
    spec = spec_of("raspi4b", qemu=NO_QEMU)
    assert (spec.threads(restored=False), spec.threads(restored=True)) == (booted, "multi")


def test_a_machine_that_is_recorded_has_one_thread() -> None:
    spec = spec_of("virt", qemu=NO_QEMU, record_in=Path("/r"))
    assert spec.threads(restored=False) == "single"


def test_the_equipment_is_that_of_the_board() -> None:
    assert spec_of("virt", qemu=NO_QEMU).equipment == Equipment().on(board("virt"))
    asked = Equipment(memory=4096, cpus=1)
    assert spec_of("virt", qemu=NO_QEMU, equipment=asked).equipment == asked
    assert spec_of("raspi4b", qemu=NO_QEMU, equipment=asked).equipment == Equipment().on(board("raspi4b"))


def test_only_what_has_a_file_for_its_memory_is_captured() -> None:
    assert spec_of("virt", qemu=NO_QEMU, memory_file=Path("/r/ram")).for_snapshot
    assert not spec_of("virt", qemu=NO_QEMU).for_snapshot
