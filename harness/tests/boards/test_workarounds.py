"""What the harness does differently for QEMU's sake: each with its reason, its price and QEMU's versions."""

from __future__ import annotations

from dataclasses import fields

import pytest

from harness.boards import Board, board, boards
from harness.boards.workarounds import Workarounds
from harness.tests.boards.no_snapshots import no_snapshots


@pytest.mark.parametrize("one", boards(), ids=lambda one: one.name)
def test_every_workaround_has_a_reason_a_price_and_the_versions_of_qemu(one: Board) -> None:
    for workaround in one.workarounds:
        assert workaround.does
        assert not workaround.does.endswith(".")
        assert workaround.reason
        assert workaround.price
        assert all(number.isdecimal() for number in workaround.qemu.split("."))
        assert workaround.note == f"{workaround.does}: {workaround.reason}"


def test_a_board_names_only_the_workarounds_that_it_needs() -> None:
    def needed(name: str) -> set[str]:
        return {field.name for field in fields(Workarounds) if getattr(board(name).workarounds, field.name)}

    card = {"late_answers", "nic_after_restore", "waiting_processors"}
    assert needed("pc-bios") == needed("pc-uefi") == {"one_thread_at_boot"}
    assert needed("raspi3b") == {*card, "pending_interrupts", "registers_at_restore"}
    assert needed("raspi4b") == {*card, "late_nic"}
    assert list(board("virt").workarounds) == []
    assert len(list(board("raspi3b").workarounds)) == 5


def test_a_board_without_snapshots_has_no_checkpoints_either() -> None:
    assert board("virt").can_snapshot
    assert board("virt").can_checkpoint
    assert board("raspi3b").can_snapshot
    assert not board("raspi3b").can_checkpoint
    assert not no_snapshots("virt").can_snapshot
    assert not no_snapshots("virt").can_checkpoint


def test_what_is_fixed_is_said_from_what_the_machine_has() -> None:
    assert board("raspi3b").fixed == "1024 MiB of memory, 4 processors and one SD card"
    assert board("raspi4b").fixed == "2048 MiB of memory, 4 processors and one SD card"
    assert board("virt").fixed == ""
