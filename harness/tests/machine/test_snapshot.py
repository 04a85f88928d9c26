"""With a real QEMU and a guest of one sector."""

from __future__ import annotations

import json
import shutil
import socket
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import InternalError, QemuFailed
from harness.firmware.bios import BiosStage
from harness.firmware.stage import Loaded
from harness.machine import snapshot as module
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.equipment import Equipment
from harness.machine.extra_disk import ExtraDisk
from harness.machine.launch import Ram
from harness.machine.machine import Machine
from harness.machine.ports import Port
from harness.machine.power import Power
from harness.machine.qmp import Event
from harness.machine.run_dir import RunDir
from harness.machine.snapshot import RAM, STATE, Snapshot, restore, save, take
from harness.tests.machine.guests import REST, SAY_R, boot_sector, wait_for_r
from harness.tests.machine.specs import NO_QEMU, machine_of, spec_of

pytestmark = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")

SMALL = Equipment(memory=64, cpus=1, forwards=(Port(80),))
MARK = 0x7E00
"""Where the guest writes a byte of its own, after its boot sector."""
MARKS = bytes.fromhex("31 c0  8e d8  c6 06 00 7e 5a") + SAY_R + REST
"""xor ax,ax; mov ds,ax; mov byte [0x7e00],0x5a"""


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    path = tmp_path / "golden.img"
    path.write_bytes(boot_sector(MARKS).ljust(1 << 20, b"\0"))
    path.chmod(0o444)
    return path


@pytest.fixture
def captured(run_dir: RunDir, golden: Path) -> Snapshot:
    """A machine that ran the guest, with a layer between its disk and the image."""
    folder = run_dir.folder("snapshot", bulky=True)
    between = DiskOverlay.create(golden, run_dir.folder("base", bulky=True))
    between.write(4096, b"between")
    overlay = DiskOverlay.create(between.path, run_dir.folder("disk", bulky=True), base_format="qcow2")
    overlay.write(8192, b"above")
    consoles: list[socket.socket] = []
    machine = make(run_dir, overlay, ram=Ram(folder / RAM, shared=True), on_console=consoles.append)
    machine.start()
    with consoles[0] as console:
        wait_for_r(console)
    own = folder / "own.img"
    own.hardlink_to(golden)
    snapshot = take(machine, BiosStage(), folder, base=own)
    between.path.unlink()
    return snapshot


def make(run_dir: RunDir, overlay: DiskOverlay, **given: Any) -> Machine:
    return machine_of("pc-bios", overlay, run_dir, **{"equipment": SMALL, **given})


def copy_of(snapshot: Snapshot, run_dir: RunDir, **given: Any) -> Machine:
    overlay = snapshot.overlay(run_dir.folder("disk", bulky=True))
    return make(run_dir, overlay, **{"ram": snapshot.ram, **given})


def began_with(power: Power) -> Path | None:
    """The disk that its machine began with."""
    return power.start.path if power.start is not None else None


def write(machine: Machine, disk: int, byte: int) -> None:
    """Write to a disk as the guest would: a sector of this byte at 4096."""
    device = f"/machine/peripheral/disk{disk}/virtio-backend"
    assert machine.hmp(f'qemu-io -d {device} "write -P {byte} 4096 512"') == ""


def byte_at(machine: Machine, address: int) -> str:
    return machine.hmp(f"xp /1xb {address:#x}").split(":")[1].strip()


def test_copies_begin_with_the_captured_memory_and_leave_it_as_it_is(captured: Snapshot, run_dir: RunDir) -> None:
    assert captured.ram == Ram(captured.folder / RAM, shared=False)
    frozen = captured.ram.path.read_bytes()
    assert frozen[MARK] == 0x5A
    for _ in range(2):
        copy = copy_of(captured, run_dir)
        restore(copy, captured)
        assert byte_at(copy, MARK) == "0x5a"
        # The firmware runs again, and writes all over the memory.
        copy.reset()
        copy.resume()
        copy.wait_event(lambda event: event.name == "RESET", 30.0)
        copy.stop()
    assert captured.ram.path.read_bytes() == frozen


def test_a_captures_disk_lies_on_the_image_alone(captured: Snapshot, run_dir: RunDir, golden: Path) -> None:
    disk = captured.overlay(run_dir.folder("disk", bulky=True))
    assert disk.read(4096, 7) == b"between"
    assert disk.read(8192, 5) == b"above"
    assert disk.read(0, 512) == golden.read_bytes()[:512]
    assert disk.chain == (disk.path, captured.disks[0].path, captured.folder / "own.img")
    assert disk.size == 1 << 20


def test_another_process_reads_a_capture_as_it_was_made(captured: Snapshot) -> None:
    data = json.loads(json.dumps(captured.as_json()))
    assert Snapshot.from_json(captured.folder, data) == captured


def test_every_file_that_a_machine_was_started_with_is_told(captured: Snapshot) -> None:
    files = {field.name: Path(field.name) for field in fields(Loaded) if field.name not in ("append", "notes")}
    full = replace(captured, loaded=Loaded(append="root=/dev/vda2", notes=("a", "b"), **files))
    assert Snapshot.from_json(full.folder, json.loads(json.dumps(full.as_json()))) == full


def test_a_copy_of_a_copy_can_be_captured_too(captured: Snapshot, run_dir: RunDir) -> None:
    copy = copy_of(captured, run_dir)
    restore(copy, captured)
    again = take(copy, BiosStage(), run_dir.folder("snapshot", bulky=True))
    assert again.ram is None
    third = copy_of(again, run_dir)
    restore(third, again)
    assert byte_at(third, MARK) == "0x5a"
    assert third.overlay.chain[-1] == captured.folder / "own.img"
    third.stop()


def test_a_checkpoint_of_any_machine_has_its_memory_in_a_file(captured: Snapshot, run_dir: RunDir) -> None:
    overlay = captured.overlay(run_dir.folder("disk", bulky=True))
    power = Power(spec_of("pc-bios", equipment=SMALL), overlay, BiosStage(), run_dir)
    power.restore(captured)
    ports = power.ports
    assert ports
    assert began_with(power) == captured.disks[0].path
    power.machine.pause()
    checkpoint = power.checkpoint(run_dir.folder("checkpoint", bulky=True))
    assert not power.is_on
    assert checkpoint.ram is not None
    assert checkpoint.ram.path.read_bytes()[MARK] == 0x5A
    for _ in range(2):
        power.rewind(checkpoint, run_dir.folder("again", bulky=True))
        assert byte_at(power.machine, MARK) == "0x5a"
        assert began_with(power) == checkpoint.disks[0].path
        assert power.ports == ports
        assert power.is_on
    power.off()
    # The memory that was written out is gone: only one copy of it is kept.
    assert not (checkpoint.folder / "written" / "state").exists()
    assert (checkpoint.folder / "written" / "disk.qcow2").exists()


def test_a_further_disk_goes_with_the_machine_into_captures_and_checkpoints(
    run_dir: RunDir, golden: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data.img"
    data.write_bytes(b"at first".ljust(1 << 20, b"\0"))
    equipment = replace(SMALL, disks=(ExtraDisk(data), ExtraDisk(size=1 << 20)))
    folder = run_dir.folder("disk", bulky=True)
    overlay = DiskOverlay.create(golden, folder, beside=equipment.make_disks(folder))
    consoles: list[socket.socket] = []
    machine = make(run_dir, overlay, equipment=equipment, on_console=consoles.append)
    machine.start()
    with consoles[0] as console:
        wait_for_r(console)
    assert "disk2" in machine.hmp("info block")
    write(machine, 2, 0x5A)
    write(machine, 3, 0x5B)
    snapshot = take(machine, BiosStage(), run_dir.folder("snapshot", bulky=True))
    assert Snapshot.from_json(snapshot.folder, json.loads(json.dumps(snapshot.as_json()))) == snapshot

    def seen(disk: DiskOverlay) -> list[bytes]:
        return [one.read(4096, 1) for one in disk.beside]

    disk = snapshot.overlay(run_dir.folder("disk", bulky=True))
    power = Power(spec_of("pc-bios", equipment=equipment), disk, BiosStage(), run_dir)
    power.restore(snapshot)
    write(power.machine, 2, 0x5C)
    checkpoint = power.checkpoint(run_dir.folder("checkpoint", bulky=True))
    for _ in range(2):
        power.rewind(checkpoint, run_dir.folder("again", bulky=True))
        write(power.machine, 2, 0x5D)
        write(power.machine, 3, 0x5D)
    power.off()
    assert seen(power.overlay) == [b"\x5d", b"\x5d"]
    assert seen(checkpoint.overlay(run_dir.folder("look", bulky=True))) == [b"\x5c", b"\x5b"]
    assert seen(snapshot.overlay(run_dir.folder("look", bulky=True))) == [b"\x5a", b"\x5b"]
    assert data.read_bytes() == b"at first".ljust(1 << 20, b"\0")


def test_a_machine_that_differs_does_not_go_on(captured: Snapshot, run_dir: RunDir) -> None:
    with pytest.raises(InternalError, match="does not fit"):
        restore(copy_of(captured, run_dir, equipment=replace(SMALL, cpus=2)), captured)


def test_nobody_else_can_read_what_a_guest_had_in_its_memory(captured: Snapshot) -> None:
    for name in ("state", "ram"):
        assert (captured.folder / name).stat().st_mode & 0o077 == 0


class Finishing(Machine):
    """A machine whose QEMU says that a migration is complete before it would let the guest go on."""

    def __init__(self, *statuses: str) -> None:
        self.spec = spec_of("virt", qemu=NO_QEMU)
        self._statuses = list(statuses)
        self.asked: list[str] = []
        self.events = []

    def execute(self, name: str, arguments: Any = None, **options: Any) -> Any:
        self.asked.append(name)
        if name == "query-status":
            return {"status": self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]}
        return {}

    def wait_event(self, *asked: Any, **limits: Any) -> Event:
        return Event("MIGRATION", {"status": "completed"}, 0.0)

    def wait_exit(self, timeout: float) -> None:
        return None


def test_a_saved_machine_can_go_on_at_once(tmp_path: Path) -> None:
    machine = Finishing("finish-migrate", "finish-migrate", "postmigrate")
    save(machine, tmp_path / STATE, memory=True)
    assert machine.asked[-4:] == ["migrate", *["query-status"] * 3]


def test_a_migration_that_never_ends_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAVE_LIMIT", 0.0)
    with pytest.raises(QemuFailed, match="did not end a migration within 0 s"):
        save(Finishing("finish-migrate"), tmp_path / STATE, memory=True)
