"""All that a guest sees of a machine is in its identity: no field of its records is forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, cast

import pytest

from harness.boards import board, names
from harness.errors import InternalError
from harness.machine import identity as identity_module
from harness.machine.accelerator import Accelerator
from harness.machine.equipment import Equipment
from harness.machine.identity import UNSEEN, is_seen, machine_identity
from harness.machine.ports import Port
from harness.machine.qemu import QemuProgram
from harness.machine.spec import Spec
from harness.tests.machine.specs import spec_of

Steps = tuple[tuple[type, str], ...]
"""The way to a field: a record and its field, and so on down."""


def other(value: object) -> Any:
    """Another value for a field."""
    if isinstance(value, Enum):
        return next(one for one in type(value) if one is not value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return f"{value} and more"
    if isinstance(value, tuple):
        return (*value, "one more")
    assert value is None, f"{value!r} has no other value here"
    return "something"


def changed(record: Any) -> Iterator[tuple[Steps, Any]]:
    """The record with each of its fields changed, and with each field of the records in it."""
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, QemuProgram):
            continue  # its file is what counts
        below = changed(value) if is_dataclass(value) else [((), other(value))]
        for steps, one in below:
            yield ((type(record), field.name), *steps), replace(record, **{field.name: one})


@pytest.fixture
def qemu(tmp_path: Path) -> QemuProgram:
    program = tmp_path / "qemu"
    program.write_bytes(b"QEMU")
    return QemuProgram(program, "10.0", frozenset(), sandbox=True)


@pytest.fixture
def processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cpuinfo"
    path.write_text("model name : one\nflags : a b\ncpu MHz : 1000\n")
    monkeypatch.setattr(identity_module, "PROCESSORS", path)
    return path


@pytest.mark.parametrize("name", names())
def test_each_field_changes_the_identity_or_has_a_reason_not_to(name: str, qemu: QemuProgram) -> None:
    spec = spec_of(name, qemu=qemu)
    before = machine_identity(spec)
    for steps, one in changed(spec):
        unseen = not all(is_seen(owner, name) for owner, name in steps)
        # Memory, processors and disks of some boards cannot be chosen: what is asked for changes nothing there.
        kept = steps[0] == (Spec, "equipment") and one.equipment == spec.equipment
        assert (machine_identity(one) == before) is (unseen or kept), ".".join(name for _, name in steps)


@pytest.mark.parametrize("record", UNSEEN, ids=lambda record: record.__name__)
def test_a_reason_is_about_a_field_that_there_is(record: type) -> None:
    names: set[str] = {field.name for field in fields(cast(Any, record))}
    assert set(UNSEEN[record]) <= names


def test_another_program_is_another_machine(qemu: QemuProgram, tmp_path: Path) -> None:
    path = tmp_path / "another"
    path.write_bytes(b"another QEMU")
    another = machine_identity(spec_of("virt", qemu=replace(qemu, path=path)))
    assert another != machine_identity(spec_of("virt", qemu=qemu))


def test_where_the_program_lies_does_not_count(qemu: QemuProgram, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere"
    path.write_bytes(qemu.path.read_bytes())
    assert machine_identity(spec_of("virt", qemu=replace(qemu, path=path))) == machine_identity(
        spec_of("virt", qemu=qemu)
    )


def test_the_processor_of_this_host_counts_under_kvm_alone(qemu: QemuProgram, processor: Path) -> None:
    specs = [spec_of("virt", qemu=qemu, accelerator=Accelerator(name, "played")) for name in ("tcg", "kvm")]
    tcg, kvm = map(machine_identity, specs)
    processor.write_text(processor.read_text().replace("1000", "2000"))
    assert [tcg, kvm] == list(map(machine_identity, specs))
    processor.write_text(processor.read_text().replace("one", "two"))
    assert tcg == machine_identity(specs[0])
    assert kvm != machine_identity(specs[1])


def test_the_order_of_ports_does_not_count(qemu: QemuProgram) -> None:
    ports = (Port(80), Port(53, "udp"))
    one, two = (
        machine_identity(spec_of("virt", qemu=qemu, equipment=Equipment(forwards=forwards)))
        for forwards in (ports, ports[::-1])
    )
    assert one == two


def test_it_is_the_same_after_it_was_written_down(qemu: QemuProgram) -> None:
    for name in names():
        data = machine_identity(spec_of(name, qemu=qemu))
        assert json.loads(json.dumps(data)) == data


def test_a_value_that_nobody_has_thought_of_is_our_mistake(qemu: QemuProgram) -> None:
    odd: Any = object()
    with pytest.raises(InternalError, match="object"):
        machine_identity(spec_of(replace(board("virt"), machine=odd), qemu=qemu))
