"""What a machine is to be beyond its board."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.boards import board, names
from harness.machine.equipment import Door, Equipment
from harness.machine.extra_disk import ExtraDisk
from harness.machine.ports import Port

ASKED = Equipment(memory=1536, cpus=3, disks=(ExtraDisk(size=1 << 20),), qemu_args=("-d", "int"))


def test_what_was_not_asked_for_is_the_boards() -> None:
    for name in names():
        fitted = Equipment().on(board(name))
        assert (fitted.memory, fitted.cpus) == (board(name).memory, board(name).cpus)
        assert fitted.on(board(name)) == fitted


@pytest.mark.parametrize("name", names())
def test_only_a_raspberry_pi_keeps_what_it_has_and_says_what_it_does_not_get(name: str) -> None:
    fitted = ASKED.on(board(name))
    if name in ("raspi3b", "raspi4b"):
        assert (fitted.memory, fitted.cpus, fitted.disks) == (board(name).memory, 4, ())
        assert ASKED.refused_by(board(name)) == ("1536 MiB of memory", "3 processors", "a further disk")
    else:
        assert (fitted.memory, fitted.cpus, fitted.disks) == (1536, 3, ASKED.disks)
        assert ASKED.refused_by(board(name)) == ()
    assert fitted.qemu_args == ASKED.qemu_args


def test_what_a_raspberry_pi_has_anyway_is_not_refused() -> None:
    assert Equipment(memory=1024, cpus=4).refused_by(board("raspi3b")) == ()
    assert Equipment(memory=1024, cpus=4).refused_by(board("raspi4b")) == ("1024 MiB of memory",)


def test_a_port_that_is_asked_for_twice_is_forwarded_once() -> None:
    twice = Equipment(forwards=(Port(80), Port(53, "udp"), Port(80), Port(53)))
    assert twice.on(board("virt")).forwards == (Port(80), Port(53, "udp"), Port(53))


def test_the_report_is_told_what_is_not_as_documented() -> None:
    assert Equipment(forwards=(Port(80),), network="open").summary == ""
    assert Equipment(disks=(ExtraDisk(Path("/d.img")),), qemu_args=("-x", "a b")).summary == (
        "further disk: /d.img; arguments for QEMU: -x 'a b'"
    )
    assert Equipment(memory=1024, cpus=1).summary == "1024 MiB of memory; 1 processor"


def test_a_door_is_noted_without_the_program_behind_it() -> None:
    noted = Equipment(doors=(Door("10.0.2.100:9911", ("/run/tailnet", "forward", "127.0.0.1:7")),)).as_json()
    assert noted["doors"] == ["10.0.2.100:9911"]
    assert Equipment.from_json(noted).doors == (Door("10.0.2.100:9911", ()),)
    del noted["doors"]
    assert Equipment.from_json(noted).doors == (), "a bundle from before there were doors"
