"""What ``gokharness repro`` says before any machine is started, and where it refuses to."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.bundle import repro as module
from harness.bundle import unpacked
from harness.bundle.archive import FIRST, pack
from harness.bundle.manifest import Manifest
from harness.bundle.repro import repro
from harness.bundle.unpacked import Source, beside, introduction
from harness.cli import main
from harness.errors import OptionError, QemuFailed
from harness.options import Settings
from harness.tests.bundle.facts import RECORDED, bare, manifest, recorded
from harness.tests.bundle.test_source import image
from harness.tests.lab.played import PlayedFolders

MEMBERS = ("state", "disk.qcow2", "start-disk.qcow2", "code.fd")


def bundle(tmp_path: Path, made: Manifest, *members: str) -> Path:
    path = tmp_path / "bundle.tar.zst"
    pack(path, {FIRST: made.to_json().encode(), **dict.fromkeys(members, b"x")}, {})
    return path


class Here:
    """This computer, where a machine has this identity; ``shown`` is what was shown of whom."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: dict[str, str]) -> None:
        self.said: list[str] = []
        self.shown: list[str] = []
        self.switched_on: list[bool] = []
        self.settings: list[Settings] = []
        self.resumed: list[Any] = []
        self.begun: list[Any] = []
        self.appliance: Any = SimpleNamespace(power_on=lambda: self.switched_on.append(True))

        @contextlib.contextmanager
        def resumed(wanted: Any, snapshot: Any, state: Any, equipment: Any) -> Any:
            self.resumed.append((wanted, snapshot, state, equipment))
            yield self.appliance

        @contextlib.contextmanager
        def begun(wanted: Any, disks: Any, equipment: Any) -> Any:
            self.begun.append((wanted, disks, equipment))
            yield self.appliance

        @contextlib.contextmanager
        def lab(settings: Settings, **_: Any) -> Any:
            self.settings.append(settings)
            qemu = SimpleNamespace(version="11.0", digest="q2")
            yield SimpleNamespace(
                settings=settings,
                images=SimpleNamespace(image=lambda *_: image("d1")),
                appliance=lambda wanted: contextlib.nullcontext(self.appliance),
                starts=SimpleNamespace(
                    identity_of=lambda *_: identity,
                    qemus=SimpleNamespace(of=lambda _: qemu),
                    accelerators=SimpleNamespace(of=lambda _: SimpleNamespace(name="tcg")),
                    resumed=resumed,
                    begun=begun,
                ),
            )

        self.folders = PlayedFolders(tmp_path / "run")
        monkeypatch.setattr(unpacked, "Lab", lab)
        monkeypatch.setattr(unpacked, "Folders", lambda _: self.folders)
        monkeypatch.setattr(module, "opened_disks", lambda folder, names, image: list(names))
        monkeypatch.setattr(module, "opened", lambda moment, image: ("snapshot", sorted(moment.files)))

    def repro(self, path: Path, *, from_start: bool = False) -> None:
        def show(lab: Any, appliance: Any) -> None:
            assert appliance is self.appliance
            assert lab.settings is self.settings[0]
            self.shown.append("on" if not self.switched_on else "switched on")

        repro(Source(path), from_start=from_start, say=self.said.append, show=show)


SAME = {"qemu": "q1"}


def test_it_says_what_failed_and_shows_it_as_it_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Here(tmp_path, monkeypatch, SAME)
    made = manifest(key="ssh-key", members=(*MEMBERS, "ssh-key"))
    here.repro(bundle(tmp_path, made, *MEMBERS, "ssh-key"))
    assert here.shown == ["on"]
    text = "\n".join(here.said)
    order = ["test_mine.py::test_it[virt]", "E assert 1 == 2", "  two", module.STANDS]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    wanted, snapshot, _, equipment = here.resumed[0]
    assert (wanted.name, equipment.memory) == ("repro", 700)
    assert snapshot == ("snapshot", sorted(MEMBERS))
    assert here.settings[0].ssh_key is not None
    assert here.settings[0].ssh_key.name == "ssh-key"


def test_from_start_switches_it_on_with_the_disk_of_then_and_asks_for_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Here(tmp_path, monkeypatch, {"qemu": "another"})
    here.repro(bundle(tmp_path, manifest(), *MEMBERS), from_start=True)
    assert here.shown == ["switched on"]
    wanted, disks, equipment = here.begun[0]
    assert (wanted.name, wanted.running, equipment.memory) == ("repro", False, 700)
    assert disks == ["start-disk.qcow2"]


def test_from_start_boots_the_image_as_it_is_where_no_disk_is_in_the_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Here(tmp_path, monkeypatch, {"qemu": "another"})
    here.repro(bundle(tmp_path, bare()), from_start=True)
    assert here.shown == ["switched on"]
    assert here.begun == []
    assert "no other one is in the bundle" in "\n".join(here.said)


def test_a_bundle_without_memory_says_what_is_left_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Here(tmp_path, monkeypatch, SAME)
    made = bare(notes=("memory: QEMU cannot freeze the board raspi3b",))
    with pytest.raises(OptionError, match="no memory of the machine") as raised:
        here.repro(bundle(tmp_path, made))
    assert "--from-start" in raised.value.hint
    assert "--rerun" in raised.value.hint
    assert "cannot freeze the board" in raised.value.evidence


def test_a_recorded_bundle_names_the_command_that_runs_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OptionError, match="no memory of the machine") as raised:
        Here(tmp_path, monkeypatch, SAME).repro(bundle(tmp_path, recorded(), *RECORDED))
    assert raised.value.hint.startswith("gokharness replay")


@pytest.mark.parametrize(
    ("identity", "then", "why"),
    [
        ({"qemu": "q2"}, {"qemu": "q1"}, "saved by QEMU 10.0, and this host has another build: 11.0"),
        ({"qemu": "q1", "host": "b"}, {"qemu": "q1", "host": "a"}, "under KVM, on another processor or kernel"),
        ({"qemu": "q1", "quirks": True}, {"qemu": "q1", "quirks": False}, "differs in: quirks"),
    ],
)
def test_memory_that_does_not_fit_here_is_refused_with_what_is_left_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: dict[str, str], then: dict[str, str], why: str
) -> None:
    here = Here(tmp_path, monkeypatch, identity)
    made = manifest()
    assert made.state is not None
    made = replace(made, state=replace(made.state, identity=then))
    with pytest.raises(QemuFailed, match=why) as raised:
        here.repro(bundle(tmp_path, made, *MEMBERS))
    assert "--from-start" in raised.value.hint
    assert here.resumed == []


def test_a_bundle_that_lacks_a_file_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Here(tmp_path, monkeypatch, SAME)
    with pytest.raises(OptionError, match=r"it lacks code\.fd"):
        here.repro(bundle(tmp_path, manifest(), *MEMBERS[:-1]))


def test_the_command_ends_with_the_status_of_wrong_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text").write_text("hello")
    assert main(["repro", str(tmp_path / "text")]) == 4
    assert "this bundle is damaged" in capsys.readouterr().err
    assert main(["repro", "--rerun", str(tmp_path / "nothing")]) == 4
    assert "No such file" in capsys.readouterr().err


def test_a_passed_test_is_said_to_be_one() -> None:
    made = manifest()
    lines = introduction(replace(made, case=replace(made.case, error="")))
    assert "  it passed" in lines


def test_logs_never_go_where_the_bundle_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    usual = tmp_path / ".gokharness" / "repro"
    assert beside(tmp_path / "b", "repro") == str(usual)
    assert beside(usual / "again" / "test" / "b", "repro") == str(usual / "again" / "again")
