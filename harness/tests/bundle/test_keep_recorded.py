"""What was recorded goes into the bundle of a failed test when its machine has ended, else it is deleted."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.bundle.archive import FIRST, NAME
from harness.bundle.keep import Kept
from harness.bundle.manifest import Began
from harness.bundle.offer import Bundles
from harness.bundle.quota import PROPERTY
from harness.firmware.stage import Loaded
from harness.machine.execution_log import Recorder
from harness.package_data import images_folder
from harness.tests.bundle.test_keep import (  # noqa: F401  one is a fixture
    Open,
    Subject,
    item_of,
    opened,
    report,
    secret_instance,
)


def copied(folder: Path) -> Any:
    """A copy of a disk."""
    (folder / "disk.qcow2").write_text("at the start")
    return SimpleNamespace(path=folder / "disk.qcow2", settle_on=lambda _: None)


def recorded(subject: Subject, *whole: bool) -> Recorder:
    """Have its appliance recorded: a start for each of these, and whether QEMU ended its log."""
    folder = subject.logs.parent / "recorded"
    folder.mkdir()
    recorder = Recorder(folder)
    recorder.began_at = [0, 9]
    for one in whole:
        overlay: Any = SimpleNamespace(copied=copied)
        recorder.begin(overlay, Loaded(append="ro")).path.write_bytes((b"\0\xe0" if one else bytes(2)) + bytes(9))
    subject.appliance.power.recorder = recorder
    return recorder


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """An appliance of the project's own image."""
    return Subject(tmp_path, images_folder() / "hello-arm64")


def test_it_goes_in_instead_of_disk_and_memory(subject: Subject, opened: Open) -> None:  # noqa: F811
    recorded(subject, False, True)
    kept = subject.keep()
    manifest, content = opened(kept)
    assert set(content) == {FIRST, "logs/console.log", "execution-2-log", "execution-2-disk.qcow2"}
    assert manifest.replay is not None
    assert manifest.replay.executions == (Began(2, 9, 17, "ro"),)
    assert str(kept).startswith("gokharness replay ")
    assert manifest.notes[0].startswith("the recording of start 1: ")


def test_that_of_somebody_s_instance_stays_where_it_is(tmp_path: Path, opened: Open) -> None:  # noqa: F811
    subject = Subject(tmp_path, secret_instance(tmp_path))
    recorded(subject, True)
    manifest, content = opened(subject.keep())
    assert set(content) == {FIRST, "logs/console.log"}
    assert manifest.replay is None
    assert manifest.notes[0].startswith("what was recorded: the instance has CommandLineFlags")


def test_one_that_qemu_never_ended_leaves_the_logs(subject: Subject, opened: Open) -> None:  # noqa: F811
    recorded(subject, False)
    kept = subject.keep()
    assert str(kept).startswith("gokharness repro ")
    assert opened(kept)[0].replay is None


def test_a_failed_test_gets_its_bundle_when_its_machine_has_ended(
    subject: Subject,
    opened: Open,  # noqa: F811
) -> None:
    recorder, item, bundles = recorded(subject, True), item_of(), Bundles(subject.lab)
    failed = report(subject, item=item, bundles=bundles)
    assert ("gokrazy bundle", f"gokharness replay {subject.logs / NAME}") in failed.sections
    assert not (subject.logs / NAME).exists()
    # What its console says while it is torn down comes after the failure.
    subject.appliance.console.recording.size = 99
    torn_down = report(subject, when="teardown", outcome="passed", item=item, bundles=bundles)
    line = dict(torn_down.user_properties)[PROPERTY]
    assert line.startswith(f"gokharness replay {subject.logs / NAME}  (")
    manifest = opened(Kept(subject.logs / NAME, 0, ()))[0]
    assert (manifest.case.console_at, manifest.case.error) == (17, "it failed")
    assert not recorder.folder.exists()


def test_one_that_does_not_come_up_is_not_held_before_its_end(subject: Subject) -> None:
    recorded(subject, True)
    bundles, item = Bundles(subject.lab), item_of()
    bundles.failed_start(subject.appliance)
    report(subject, when="setup", item=item, bundles=bundles)
    torn_down = report(subject, when="teardown", outcome="passed", item=item, bundles=bundles)
    assert PROPERTY in dict(torn_down.user_properties)
    assert subject.notes == []


def test_that_of_a_test_that_passed_is_deleted(subject: Subject) -> None:
    recorder, item, bundles = recorded(subject, True), item_of(), Bundles(subject.lab)
    for when in ("setup", "call", "teardown"):
        assert report(subject, when=when, outcome="passed", item=item, bundles=bundles).user_properties == []
    assert not recorder.folder.exists()
    assert not (subject.logs / NAME).exists()
