from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.appliance.cold_start import ColdStart
from harness.boards import Board, board
from harness.console.check import Severity
from harness.console.findings import Finding
from harness.console.lines import Line
from harness.console.phases import Boot, Cause, Phase
from harness.errors import KernelPanic
from harness.firmware.stage import Loaded
from harness.image.model import Image
from harness.lab.equipment import equipment
from harness.lab.journal import Journal
from harness.lab.snapshots import Booted, Snapshots, identity
from harness.machine.accelerator import TCG, Accelerator
from harness.machine.disk_overlay import NAME
from harness.machine.extra_disk import ExtraDisk
from harness.machine.ports import Port
from harness.machine.qemu import QemuProgram
from harness.machine.snapshot import Snapshot, SnapshotDisk
from harness.machine.spec import Spec
from harness.options import Settings
from harness.tests.lab.played import PlayedFolders

LINE = Line(1.5, 40, "Kernel panic - not syncing: so it goes", kernel=True)
START = ColdStart(
    boot=Boot(1, Cause.POWER_ON, 0.0, {Phase.KERNEL: 1.0, Phase.HTTP: 9.0}, "7.1.3", http=("10.0.2.15:80",)),
    unclean=(
        Finding("panic", "it gave up", Severity.NOTED, KernelPanic, LINE, 1, evidence=[LINE], also=["oops"]),
    ),
    ready=9.5,
    resets=1,
)


def image(path: Path) -> Image:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"the image")
    made = Image.__new__(Image)
    for name, value in {"path": path, "digest": "d1", "hostname": "hello", "build": "b"}.items():
        object.__setattr__(made, name, value)
    return made


def captures(tmp_path: Path, name: str = "one", **given: Any) -> Snapshots:
    settings = Settings(cache=tmp_path / "cache", **given)
    return Snapshots(settings, PlayedFolders(tmp_path / name), Journal(), shared=tmp_path / "shared")


class Booting:
    """Plays the boot of a machine, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.bases: list[Path] = []

    def __call__(self, folder: Path, base: Path) -> Booted:
        self.bases.append(base)
        path = folder / NAME
        return Booted(
            Snapshot(folder, {"qemu": "q"}, Loaded(), (SnapshotDisk(path, 1 << 20, (path, base)),)), START
        )


def test_a_second_process_of_the_run_gets_what_the_first_one_booted(tmp_path: Path) -> None:
    booting = Booting()
    what = {"board": {"name": "virt"}, "image": "d1"}
    subject = image(tmp_path / "mine.img")
    first = captures(tmp_path, "one").get(what, subject, booting)
    second = captures(tmp_path, "two").get(what, subject, booting)
    assert first == second
    assert booting.bases == [subject.path]
    captures(tmp_path, "three").get({**what, "image": "d2"}, subject, booting)
    assert len(booting.bases) == 2


def test_the_start_is_told_whole(tmp_path: Path) -> None:
    assert ColdStart.from_json(json.loads(json.dumps(START.as_json()))) == START
    twice = replace(START, earlier=(Boot(1, Cause.POWER_ON, 0.0, {Phase.KERNEL: 1.0}),))
    assert ColdStart.from_json(json.loads(json.dumps(twice.as_json()))) == twice
    silent = replace(START, boot=None, unclean=())
    assert ColdStart.from_json(json.loads(json.dumps(silent.as_json()))) == silent


def test_an_image_that_this_process_unpacked_outlives_it(tmp_path: Path) -> None:
    booting = Booting()
    subject = image(tmp_path / "one" / "given" / "disk.img")
    one = captures(tmp_path, "one")
    one.get({"board": {"name": "virt"}}, subject, booting)
    assert booting.bases[0].parent.parent == tmp_path / "shared"
    assert booting.bases[0].samefile(subject.path)


@pytest.mark.parametrize(("where", "linked"), [("cache/images/k/disk.img", True), ("mine.img", False)])
def test_what_persists_has_an_image_of_its_own(tmp_path: Path, where: str, linked: bool) -> None:
    booting = Booting()
    subject = image(tmp_path / where)
    captures(tmp_path, warm="persist").get({"board": {"name": "virt"}}, subject, booting)
    (base,) = booting.bases
    assert base.is_relative_to(tmp_path / "cache" / "captures")
    assert base.samefile(subject.path) == linked
    assert base.read_bytes() == b"the image"


def test_all_who_share_captures_have_the_same_key(tmp_path: Path) -> None:
    key = captures(tmp_path, "one").key()
    assert captures(tmp_path, "two").key() == key
    assert key.stat().st_mode & 0o777 == 0o600


def facts_of(tmp_path: Path, **changes: Any) -> Mapping[str, Any]:
    program = tmp_path / "qemu"
    program.write_bytes(changes.pop("qemu", b"QEMU"))
    subject = image(tmp_path / "mine.img")
    for name, value in {"http_port": 80, "https_port": 443, "breakglass": None, "services": ()}.items():
        object.__setattr__(subject, name, changes.pop(name, value))
    object.__setattr__(subject, "digest", changes.pop("digest", "d1"))
    key = changes.pop("key", "")
    perm = changes.pop("perm", "ext4")
    object.__setattr__(subject, "perm", perm)
    named = board(changes.pop("board", "virt"))
    named = replace(named, devices=changes.pop("devices", named.devices))
    accelerator = changes.pop("accelerator", TCG)
    firmware = changes.pop("firmware", "f1")
    settings = Settings(**changes)
    spec = Spec(
        board=named,
        qemu=QemuProgram(program, "10.0", frozenset(), sandbox=True),
        accelerator=accelerator,
        equipment=equipment(settings, subject),
        fast_boot=settings.fast_boot,
        quirks=not settings.no_quirks,
    )
    return identity(spec, subject, firmware=firmware, key=key, clock=settings.clock)


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "d2"},
        {"qemu": b"another"},
        {"memory": 256},
        {"cpus": 1},
        {"devices": ("virtio-rng-pci", "virtio-gpu-pci")},
        {"firmware": "f2"},
        {"network": "open"},
        {"http_port": 8080},
        {"perm": "blank"},
        {"forward": (Port(53, "udp"),)},
        {"disk": (ExtraDisk(size=1 << 20),)},
        {"qemu_arg": ("-no-hpet",)},
        {"fast_boot": True},
        {"no_quirks": True},
        {"accelerator": Accelerator("kvm", "asked for")},
    ],
    ids=str,
)
def test_a_machine_that_would_boot_otherwise_is_another_one(tmp_path: Path, change: dict[str, Any]) -> None:
    assert facts_of(tmp_path) == facts_of(tmp_path)
    assert facts_of(tmp_path, **change) != facts_of(tmp_path)


def test_what_is_on_a_further_disk_counts_and_not_only_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "data.img"
    path.write_bytes(b"one".ljust(4096, b"\0"))
    before = facts_of(tmp_path, disk=(ExtraDisk(path),))
    assert facts_of(tmp_path, disk=(ExtraDisk(path),)) == before
    path.write_bytes(b"two".ljust(4096, b"\0"))
    assert facts_of(tmp_path, disk=(ExtraDisk(path),)) != before


def test_a_board_that_keeps_what_it_has_is_the_same_machine_whatever_was_asked_for(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"memory": 4096, "cpus": 1, "disk": (ExtraDisk(size=1 << 20),)}
    assert facts_of(tmp_path, board="raspi4b", **asked) == facts_of(tmp_path, board="raspi4b")


def test_what_a_machine_without_a_clock_knows_of_the_time_makes_it_another_one(tmp_path: Path) -> None:
    assert facts_of(tmp_path, board="raspi-virt", clock="now") != facts_of(tmp_path, board="raspi-virt")
    assert facts_of(tmp_path, board="virt", clock="now") == facts_of(tmp_path, board="virt")


def test_the_firmware_of_a_board_is_read_once_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def digest(of: Board, _: QemuProgram) -> str:
        read.append(of.name)
        return of.name

    monkeypatch.setattr("harness.lab.snapshots.firmware_digest", digest)
    asked = captures(tmp_path)
    program = QemuProgram(tmp_path / "qemu", "10.0", frozenset(), sandbox=True)
    for name in ("virt-uefi", "pc-uefi", "virt-uefi"):
        assert asked.firmware(board(name), program) == name
    assert read == ["virt-uefi", "pc-uefi"]


def test_another_version_of_the_harness_s_own_firmware_makes_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = facts_of(tmp_path)
    monkeypatch.setattr("harness.lab.snapshots.own_digest", lambda: "another version")
    assert facts_of(tmp_path) != before


def test_a_machine_that_knows_another_key_is_another_one(tmp_path: Path) -> None:
    assert facts_of(tmp_path, key="ssh-ed25519 AAAA") != facts_of(tmp_path)


def test_a_start_that_was_stopped_between_is_told_as_one() -> None:
    boot = Boot(1, Cause.POWER_ON, 0.0, {Phase.KERNEL: 20.0, Phase.UPDATER: 50.0}, "6.12.47-v8")
    rest = Boot(1, Cause.RESTORED, 0.0, {Phase.KERNEL: 0.0, Phase.UPDATER: 0.0, Phase.HTTP: 4.0})
    rest.http = ("10.0.2.15:80",)
    whole = ColdStart(boot, (), 60.0).continued(rest, 5.5)
    assert whole.boot is not None
    assert whole.boot.at == {Phase.KERNEL: 20.0, Phase.UPDATER: 50.0, Phase.HTTP: 64.0}
    assert (whole.boot.cause, whole.boot.http, whole.ready) == (Cause.POWER_ON, ("10.0.2.15:80",), 65.5)
    assert Phase.HTTP not in boot.at
