"""What cannot be recorded is refused with its reason, before anything is built or started."""

from __future__ import annotations

import pytest

from harness.boards import board, boards, names
from harness.errors import OptionError
from harness.lab.boards import equipped
from harness.lab.recordable import must_be_recordable
from harness.machine.accelerator import RECORDING
from harness.options import settings_from
from harness.tests.boards.own import OWN

CAN = tuple(name for name in OWN if not board(name).unrecorded)


def refused(**said: object) -> OptionError:
    """The error for these options beside --gk-record."""
    with pytest.raises(OptionError) as raised:
        must_be_recordable(settings_from({"gk_record": True, **said}))
    return raised.value


@pytest.mark.parametrize(
    ("said", "wish"),
    [
        ({"gk_accel": "kvm"}, "--gk-accel kvm"),
        ({"gk_cpus": "2"}, "--gk-cpus"),
        ({"gk_warm": "persist"}, "--gk-warm persist"),
        ({"gk_disk": ["64M"]}, "--gk-disk"),
        ({"gk_qemu_arg": ["-s"]}, "--gk-qemu-arg"),
        ({"gk_bundle": "off"}, "--gk-bundle off"),
    ],
)
def test_options_that_do_not_go_with_it_are_named_with_the_reason(said: dict[str, object], wish: str) -> None:
    must_be_recordable(settings_from(said))
    error = refused(**said)
    assert error.what.startswith(f"--gk-record does not go with {wish}: ")
    assert error.hint == f"leave out --gk-record or {wish}"


def test_of_a_finished_image_nothing_is_recorded_in_vain() -> None:
    assert "--gk-bundle-disk" in refused(gk_image="disk.img").hint
    must_be_recordable(settings_from({"gk_record": True, "gk_image": "disk.img", "gk_bundle_disk": True}))


def test_a_board_that_was_asked_for_and_cannot_be_recorded_says_why() -> None:
    error = refused(gk_board=["virt,raspi3b"])
    assert error.what == (
        "--gk-record: raspi3b cannot be recorded: "
        "QEMU records machines with one processor, and this one always has four"
    )
    assert error.hint == f"boards that can: {', '.join(CAN)}"


def test_of_boards_that_nobody_named_those_are_taken_that_can() -> None:
    both = boards(("raspi-virt", "raspi3b"))
    assert equipped(both, settings_from({})) == both
    recording = settings_from({"gk_record": True})
    assert equipped(both, recording) == boards(("raspi-virt",))
    with pytest.raises(OptionError, match="raspi4b cannot be recorded"):
        equipped(boards(("raspi4b",)), recording)


def test_machines_that_are_recorded_have_one_processor_and_much_time() -> None:
    asked = settings_from({"gk_record": True, "gk_cpus": "1", "gk_memory": "700"})
    must_be_recordable(asked)
    assert (asked.equipment.cpus, asked.equipment.memory) == (1, 700)
    assert settings_from({}).equipment.cpus == 0
    assert RECORDING.name == "tcg"
    assert RECORDING.factor > 1


def test_a_board_with_several_processors_that_cannot_be_chosen_is_not_recorded() -> None:
    for one in map(board, names()):
        if one.is_fixed and one.cpus > 1:
            assert one.unrecorded, one.name
