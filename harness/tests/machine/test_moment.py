"""What is kept of a machine that goes on, with real disks and a machine that is played."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import OptionError, QemuFailed
from harness.firmware.stage import Loaded
from harness.machine import moment as module
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.equipment import Equipment
from harness.machine.extra_disk import ExtraDisk
from harness.machine.moment import Moment, State, keep_moment, opened, why_no_state
from harness.machine.snapshot import STATE
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


class Disks:
    """An image, a layer between, and the disk of a machine over both."""

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


@pytest.fixture
def disks(tmp_path: Path) -> Disks:
    return Disks(tmp_path)


STAGE: Any = SimpleNamespace(keep=lambda loaded, folder: loaded)


@pytest.fixture(autouse=True)
def saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "machine_identity", lambda _: {"qemu": "q1"})
    monkeypatch.setattr(module, "pause_at_rest", lambda machine: machine.pause())

    def save(_: Any, state: Path, *, memory: bool) -> None:
        assert memory
        state.write_text("devices and memory")

    monkeypatch.setattr(module, "save", save)


def keep(machine: Any, disks: Disks) -> Moment:
    disks.disk.attach("a machine that is paused meanwhile")
    return keep_moment(machine, disks.disk, STAGE, disks.out, base=disks.image)


def test_a_machine_is_kept_and_goes_on(disks: Disks) -> None:
    machine = Played("virt")
    moment = keep(machine, disks)
    assert machine.done == ["pause", "resume"]
    assert moment.state == State({"qemu": "q1"}, notes=("a note",))
    assert set(moment.files) == {STATE, "disk.qcow2", "disk2.qcow2"}
    assert all(path.is_file() for path in moment.files.values())
    assert disks.disk.path.is_file()


def test_one_that_stood_still_is_left_so(disks: Disks) -> None:
    machine = Played("virt", runs=False)
    keep(machine, disks)
    assert machine.done == ["pause"]


def test_one_whose_state_cannot_be_saved_goes_on(disks: Disks, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise QemuFailed("no room")

    monkeypatch.setattr(module, "save", fail)
    machine = Played("virt")
    with pytest.raises(QemuFailed):
        keep(machine, disks)
    assert machine.done == ["pause", "resume"]


def test_of_a_board_that_cannot_be_frozen_and_of_one_that_is_off_the_disks_are_kept(disks: Disks) -> None:
    machine = Played("raspi3b")
    moment = keep(machine, disks)
    assert (moment.state, machine.done) == (None, ["pause", "resume"])
    shutil.rmtree(disks.out)
    disks.out.mkdir()
    assert keep_moment(None, disks.disk, STAGE, disks.out, base=disks.image).state is None


def test_there_is_a_reason_wherever_no_state_is_kept() -> None:
    user = ExtraDisk(Path("/some/disk.img"))
    strange = Equipment(qemu_args=("-s",)), Equipment(disks=(user,))
    reasons = [why_no_state(spec_of("virt", qemu=NO_QEMU, equipment=equipment)) for equipment in strange]
    reasons.append(why_no_state(spec_of("raspi3b", qemu=NO_QEMU)))
    assert all(reasons)
    assert why_no_state(spec_of("virt", qemu=NO_QEMU, equipment=Equipment(disks=(ExtraDisk(size=1),)))) == ""


def test_it_is_opened_on_another_copy_of_the_image(disks: Disks, tmp_path: Path) -> None:
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
    assert (disk.read(0, 5), disk.read(4096, 7), disk.read(8192, 5)) == (b"image", b"between", b"above")
    assert disk.beside[0].read(0, 6) == b"beside"
    assert disk.chain[-1] == other


def test_a_disk_that_reads_files_of_this_computer_is_refused(disks: Disks, tmp_path: Path) -> None:
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


def test_a_disk_that_names_another_file_below_it_gets_the_image(disks: Disks, tmp_path: Path) -> None:
    moment = keep(Played("virt"), disks)
    secret, evil = tmp_path / "secret", moment.folder / "disk.qcow2"
    secret.write_bytes(b"secret".ljust(1 << 20, b"\0"))
    evil.unlink()
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", evil], check=True)
    folder = tmp_path / "new"
    folder.mkdir()
    assert opened(moment, disks.image).overlay(folder).read(0, 5) == b"image"


def test_what_has_no_state_is_not_opened(disks: Disks) -> None:
    with pytest.raises(QemuFailed, match="was not saved"):
        opened(Moment(disks.out, ("disk.qcow2",)), disks.image)
