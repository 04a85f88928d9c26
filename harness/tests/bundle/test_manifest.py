"""What a bundle says of itself, there and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.bundle.manifest import FORMAT, Manifest
from harness.errors import OptionError
from harness.machine.equipment import Equipment
from harness.machine.extra_disk import ExtraDisk
from harness.machine.ports import Port
from harness.tests.bundle.facts import STATE, bare, manifest, recorded

WHERE = Path("/some/bundle.tar.zst")


def changed(**facts: Any) -> bytes:
    """The text of a manifest with other facts."""
    return json.dumps({**json.loads(manifest().to_json()), **facts}).encode()


def test_a_manifest_there_and_back_is_the_same() -> None:
    for made in (
        manifest(),
        bare(),
        recorded(),
        manifest(key="ssh-key", members=(*manifest().members, "ssh-key")),
    ):
        again = Manifest.of_json(made.to_json().encode(), WHERE)
        assert again.to_json() == made.to_json()
        assert again.state == made.state
        assert again.replay == made.replay
        assert again.case == made.case
        assert again.subject == made.subject


def test_what_a_test_asked_for_comes_back_under_another_name() -> None:
    again = Manifest.of_json(manifest().to_json().encode(), WHERE).wanted_again("repro")
    assert (again.name, again.board.name, again.needs, again.reboots) == ("repro", "virt", ("http",), True)
    assert again.network == "open"


def test_equipment_there_and_back_has_the_same_identity() -> None:
    made = Equipment(
        forwards=(Port(80), Port(53, "udp")), network="open", memory=700, cpus=3, disks=(ExtraDisk(size=1 << 26),)
    )
    again = Equipment.from_json(json.loads(json.dumps(made.as_json())))
    assert again.as_json() == made.as_json()
    assert again.disks == made.disks
    strange = Equipment(disks=(ExtraDisk(Path("/some/disk.img")),), qemu_args=("-s",))
    assert Equipment.from_json(strange.as_json()).as_json() == strange.as_json()


def test_a_newer_format_is_refused_with_what_to_use() -> None:
    with pytest.raises(
        OptionError, match=f"has the format {FORMAT + 1}, and this harness reads {FORMAT}"
    ) as raised:
        Manifest.of_json(changed(format=FORMAT + 1, harness="9.9", something="new"), WHERE)
    assert "9.9" in raised.value.hint


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        json.dumps({"format": FORMAT}).encode(),
        changed(case={"id": "x"}),
        changed(something="new"),
        changed(wanted={"nonsense": 1}),
        changed(equipment={}),
        changed(state={"nonsense": 1}),
        changed(replay={"nonsense": 1}),
        changed(replay={"identity": {}, "executions": [{"nonsense": 1}]}),
        changed(subject=None),
        b"\xff\xfe",
    ],
)
def test_a_manifest_that_cannot_be_read_is_one_clear_error(text: bytes) -> None:
    with pytest.raises(OptionError, match="this bundle is damaged") as raised:
        Manifest.of_json(text, WHERE)
    assert raised.value.where == str(WHERE)


@pytest.mark.parametrize(
    "facts",
    [
        {"disks": ["../disk.qcow2"]},
        {"start_disks": ["../disk.qcow2"]},
        {"disks": ["/dev/sda"], "members": ["/dev/sda", "state", "start-disk.qcow2", "code.fd"]},
        {"disks": ["other.qcow2"]},
        {"key": "/etc/ssh/key"},
        {"state": {"identity": {}, "files": {"code": "/etc/passwd"}}},
        {"disks": []},
        {"replay": {"identity": {}, "executions": [{"number": 1, "at": 0, "end": 9}]}},
    ],
    ids=str,
)
def test_files_that_do_not_lie_in_the_bundle_are_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="names files that it has not"):
        Manifest.of_json(changed(**facts), WHERE)


def test_what_is_secret_is_hidden_wherever_somebody_says_it_and_names_of_files_stay() -> None:
    def hide(text: bytes) -> bytes:
        return text.replace(b"state", b"*****").replace(b'pass"word', b"*********")

    made = manifest(options={"gk_qemu_arg": ['x=pass"word'], "state": True}, notes=('pass"word of state',))
    again = Manifest.of_json(made.to_json(hide).encode(), WHERE)
    assert again.options == {"gk_qemu_arg": ["x=*********"], "state": True}
    assert again.notes == ("********* of *****",)
    assert again.state == STATE
    assert "state" in again.members
