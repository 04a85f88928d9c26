"""What is kept of a machine that goes on, with real disks and a machine that is played."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import HostDiskFull, OptionError, QemuFailed
from harness.firmware.stage import Loaded
from harness.machine import moment as module
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.equipment import Equipment
from harness.machine.extra_disk import ExtraDisk
from harness.machine.moment import (
    START,
    Disks,
    Moment,
    State,
    disk_at_start,
    keep_moment,
    opened,
    opened_disks,
    why_no_state,
)
from harness.machine.snapshot import STATE, SnapshotDisk
from harness.tests.machine.specs import NO_QEMU, spec_of

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")


class Played:
    """A machine that notes what is done to it."""

    def __init__(self, board: str, *, runs: bool = True, **equipment: Any) -> None:
        self.spec = spec_of(board, qemu=NO_QEMU, equipment=Equipment(**equipment))
        self.board = self.spec.board
        self.launch = SimpleNamespace(loaded=Loaded(notes=("a note",)))
        self.done: list[str] = []
        self._runs = runs

    def execute(self, name: str) -> dict[str, bool]:
        assert name == "query-status"
        return {"running": self._runs}

    def pause(self) -> None:
        self.done.append("pause")

    def resume(self) -> None:
        self.done.append("resume")


class OnHost:
    """An image, a layer between, the disk of a machine over both, and an empty one beside it."""

    def __init__(self, tmp_path: Path) -> None:
        self.image = tmp_path / "image.img"
        self.image.write_bytes(b"image".ljust(1 << 20, b"\0"))
        self.out = tmp_path / "out"
        for name in ("between", "disk", "disk2", "out"):
            (tmp_path / name).mkdir()
        between = DiskOverlay.create(self.image, tmp_path / "between")
        between.write(4096, b"between")
        beside = [DiskOverlay.empty(tmp_path / "disk2", 1 << 20, name="disk2.qcow2")]
        self.disk = DiskOverlay.create(between.path, tmp_path / "disk", base_format="qcow2", beside=beside)
        self.disk.write(8192, b"above")
        beside[0].write(0, b"beside")
        self.start: DiskOverlay | None = self.disk
        self.equipment = Equipment(disks=(ExtraDisk(size=1 << 20),))

    def keep(self, machine: Any) -> Moment:
        """What is kept of a machine that has this disk."""
        return keep_moment(machine, Disks(self.disk, self.start, self.equipment, self.image), STAGE, self.out)

    def restored(self) -> DiskOverlay:
        """A disk over this one, as a machine gets it that is restored from a snapshot."""
        first, other = SnapshotDisk.of(self.disk), SnapshotDisk.of(self.disk.beside[0])
        self.start = first.as_overlay(beside=[other.as_overlay()])
        folder = self.out.with_name("restored")
        folder.mkdir()
        self.disk = first.overlay(folder, beside=[other.overlay(folder)])
        return self.disk


@pytest.fixture
def disks(tmp_path: Path) -> OnHost:
    return OnHost(tmp_path)


STAGE: Any = SimpleNamespace(keep=lambda loaded, folder: loaded)


@pytest.fixture(autouse=True)
def saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "machine_identity", lambda _: {"qemu": "q1"})
    monkeypatch.setattr(module, "pause_at_rest", lambda machine: machine.pause())

    def save(_: Any, state: Path, *, memory: bool) -> None:
        assert memory
        state.write_text("devices and memory")

    monkeypatch.setattr(module, "save", save)


def keep(machine: Any, disks: OnHost) -> Moment:
    disks.disk.attach("a machine that is paused meanwhile")
    return disks.keep(machine)


def reads(disk: DiskOverlay) -> list[bytes]:
    """What is on a disk that was opened elsewhere, and on the one beside it."""
    return [disk.read(0, 5), disk.read(4096, 7), disk.read(8192, 5), disk.beside[0].read(0, 6)]


def test_a_machine_is_kept_and_goes_on(disks: OnHost) -> None:
    machine = Played("virt")
    moment = keep(machine, disks)
    assert machine.done == ["pause", "resume"]
    assert moment.state == State({"qemu": "q1"}, notes=("a note",))
    assert set(moment.files) == {STATE, "disk.qcow2", "disk2.qcow2"}
    assert all(path.is_file() for path in moment.files.values())
    assert disks.disk.path.is_file()


def test_one_that_stood_still_is_left_so(disks: OnHost) -> None:
    machine = Played("virt", runs=False)
    keep(machine, disks)
    assert machine.done == ["pause"]


def test_one_whose_state_cannot_be_saved_goes_on_and_its_disks_are_kept(
    disks: OnHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any, state: Path, **__: Any) -> None:
        state.write_text("half of it")
        raise QemuFailed("no room")

    monkeypatch.setattr(module, "save", fail)
    machine = Played("virt")
    moment = keep(machine, disks)
    assert machine.done == ["pause", "resume"]
    assert (moment.state, moment.why_no_state) == (None, "no room")
    assert set(moment.files) == {path.name for path in disks.out.iterdir()} == {"disk.qcow2", "disk2.qcow2"}


def test_of_one_that_does_not_answer_nothing_is_kept(disks: OnHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> None:
        raise QemuFailed("QEMU does not answer")

    machine = Played("raspi3b")
    monkeypatch.setattr(machine, "pause", lambda: fail(machine))
    with pytest.raises(QemuFailed):
        keep(machine, disks)


def test_of_a_board_that_cannot_be_frozen_and_of_one_that_is_off_the_disks_are_kept(disks: OnHost) -> None:
    machine = Played("raspi3b")
    moment = keep(machine, disks)
    assert (moment.state, machine.done) == (None, ["pause", "resume"])
    assert "cannot freeze" in moment.why_no_state
    shutil.rmtree(disks.out)
    disks.out.mkdir()
    moment = disks.keep(None)
    assert (moment.state, moment.why_no_state) == (None, "the machine was off")


def test_there_is_a_reason_wherever_no_state_is_kept() -> None:
    user = ExtraDisk(Path("/some/disk.img"))
    strange = Equipment(qemu_args=("-s",)), Equipment(disks=(user,))
    reasons = [why_no_state(spec_of("virt", qemu=NO_QEMU, equipment=equipment)) for equipment in strange]
    reasons.append(why_no_state(spec_of("raspi3b", qemu=NO_QEMU)))
    assert all(reasons)
    assert why_no_state(spec_of("virt", qemu=NO_QEMU, equipment=Equipment(disks=(ExtraDisk(size=1),)))) == ""


def test_it_is_opened_on_another_copy_of_the_image(disks: OnHost, tmp_path: Path) -> None:
    moment = keep(Played("virt"), disks)
    elsewhere, other = tmp_path / "elsewhere", tmp_path / "other.img"
    moment.folder.rename(elsewhere)
    disks.image.rename(other)
    shutil.rmtree(tmp_path / "between")
    snapshot = opened(Moment(elsewhere, moment.disks, moment.state), other)
    assert snapshot.identity == {"qemu": "q1"}
    assert snapshot.loaded == Loaded(notes=("a note",))
    assert snapshot.ram is None
    folder = tmp_path / "new"
    folder.mkdir()
    disk = snapshot.overlay(folder)
    assert reads(disk) == [b"image", b"between", b"above", b"beside"]
    assert disk.chain[-1] == other


def test_of_a_restored_machine_all_disks_are_kept_now_and_as_the_snapshot_has_them(
    disks: OnHost, tmp_path: Path
) -> None:
    disk = disks.restored()
    disk.write(8192, b"later")
    disk.beside[0].write(0, b"change")
    moment = keep(Played("virt"), disks)
    assert moment.disks == ("disk.qcow2", "disk2.qcow2")
    assert moment.start == (f"{START}disk.qcow2", f"{START}disk2.qcow2")
    assert {*moment.disks, *moment.start} < set(moment.files)
    assert sorted(path.name for path in disks.out.iterdir()) == sorted(moment.files)
    for name in ("disk", "between", "restored"):
        shutil.rmtree(tmp_path / name)
    now, start = tmp_path / "now", tmp_path / "start"
    for folder in (now, start):
        folder.mkdir()
    assert reads(opened(moment, disks.image).overlay(now)) == [b"image", b"between", b"later", b"change"]
    first, other = opened_disks(moment.folder, moment.start, disks.image)
    again = first.overlay(start, beside=[other.overlay(start)])
    assert reads(again) == [b"image", b"between", b"above", b"beside"]


def test_a_machine_that_was_never_on_has_its_disk_once(disks: OnHost) -> None:
    moment = disks.keep(None)
    assert moment.start == moment.disks == ("disk.qcow2", "disk2.qcow2")


def test_the_disk_of_a_machine_that_is_switched_on_is_kept_as_it_is_then(disks: OnHost, tmp_path: Path) -> None:
    for word in (b"first", b"again"):
        disks.disk.write(8192, word)
        start = disk_at_start(disks.disk, tmp_path / "apart")
        disks.disk.write(8192, b"later")
        assert start is not None
        assert reads(start) == [b"image", b"between", word, b"beside"]


def test_without_room_for_a_copy_of_the_disk_a_machine_is_kept_all_the_same(
    disks: OnHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(_: DiskOverlay, folder: Path) -> None:
        (folder / "disk.qcow2").write_text("half of it")
        raise HostDiskFull("cannot copy disk.qcow2: No space left on device")

    with monkeypatch.context() as full:
        full.setattr(DiskOverlay, "copied", half)
        disks.start = disk_at_start(disks.disk, tmp_path / "start")
    assert not (tmp_path / "start").exists()
    moment = keep(Played("virt"), disks)
    assert (moment.start, moment.disks) == ((), ("disk.qcow2", "disk2.qcow2"))


def test_a_disk_over_a_file_of_the_user_s_is_not_kept(disks: OnHost) -> None:
    disks.equipment = Equipment(disks=(ExtraDisk(Path("/some/disk.img")),))
    assert disks.keep(None).disks == ("disk.qcow2",)


def test_a_disk_that_reads_files_of_this_computer_is_refused(disks: OnHost, tmp_path: Path) -> None:
    moment = keep(Played("virt"), disks)
    secret, evil = tmp_path / "secret", moment.folder / "disk.qcow2"
    secret.write_bytes(bytes(1 << 20))
    evil.unlink()
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={secret},data_file_raw=on", str(evil), "1M"],
        check=True,
    )
    with pytest.raises(OptionError, match="no disk of a machine that the harness ran"):
        opened(moment, disks.image)
    evil.write_bytes(b"no qcow2 at all")
    with pytest.raises(OptionError, match="no disk of a machine that the harness ran"):
        opened(moment, disks.image)


def test_a_disk_that_names_another_file_below_it_gets_the_image(disks: OnHost, tmp_path: Path) -> None:
    moment = keep(Played("virt"), disks)
    secret, evil = tmp_path / "secret", moment.folder / "disk.qcow2"
    secret.write_bytes(b"secret".ljust(1 << 20, b"\0"))
    evil.unlink()
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", evil], check=True)
    folder = tmp_path / "new"
    folder.mkdir()
    assert opened(moment, disks.image).overlay(folder).read(0, 5) == b"image"


def test_what_has_no_state_is_not_opened(disks: OnHost) -> None:
    with pytest.raises(QemuFailed, match="was not saved"):
        opened(Moment(disks.out, ("disk.qcow2",)), disks.image)
