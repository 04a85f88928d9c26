"""The manifest of a failed test as tests of bundles need one."""

from __future__ import annotations

from typing import Any

from harness.appliance.wanted import Wanted
from harness.boards import board
from harness.bundle.manifest import Began, Case, Left, Manifest, Qemu, Replay, Subject, wanted_facts
from harness.machine.equipment import Equipment
from harness.machine.moment import State
from harness.machine.ports import Port

STATE = State({"qemu": "q1"}, {"code": "code.fd"}, "root=/dev/vda2", ("a note",))
SUBJECT = Subject("d1", "hello-arm64", "2026", "arm64", "own", "7.1", own="hello-arm64", modules={"m": "v1"})

BEGAN = (Began(1, 0, 10, "ro"), Began(3, 25, 35, has_vars=True))
RECORDED = tuple(name for one in BEGAN for name in one.members)


def manifest(**given: Any) -> Manifest:
    """That of a test on ``virt`` with all that a bundle can have, but for what a test says otherwise."""
    wanted = Wanted(board("virt"), "test_it[virt]", needs=("http",), reboots=True, network="open")
    facts: dict[str, Any] = {
        "case": Case("test_mine.py::test_it[virt]", "/there", error="E assert 1 == 2", fault="APPLIANCE"),
        "board": "virt",
        "wanted": wanted_facts(wanted),
        "options": {"gk_board": ["virt"], "gk_memory": "700"},
        "subject": SUBJECT,
        "qemu": Qemu("10.0", "q1", "tcg", ("/usr/bin/qemu-system-aarch64", "-S")),
        "equipment": Equipment(forwards=(Port(80), Port(53, "udp")), memory=700, cpus=2).as_json(),
        "firmware": "f1",
        "clock": "unset",
        "left": Left(last_words=("one", "two")),
        "disks": ("disk.qcow2",),
        "state": STATE,
        "start_disks": ("start-disk.qcow2",),
        "members": ("state", "disk.qcow2", "start-disk.qcow2", "code.fd"),
        "notes": ("nothing",),
    }
    return Manifest(**{**facts, **given})


def bare(**given: Any) -> Manifest:
    """That of a bundle without any file of a machine."""
    return manifest(**{"state": None, "disks": (), "start_disks": (), "members": (), **given})


def recorded(**given: Any) -> Manifest:
    """That of a test whose appliance was recorded, and was reset once."""
    return bare(**{"replay": Replay({"qemu": "q1"}, BEGAN), "members": RECORDED, **given})
