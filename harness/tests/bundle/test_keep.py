"""Which tests get a bundle, what goes into it and what does not, and that none of it makes a test fail."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.appliance.failed_starts import FailedStarts
from harness.appliance.wanted import Wanted
from harness.boards import board
from harness.bundle.archive import FIRST, NAME, unpack
from harness.bundle.keep import KEY, LARGEST_LOG, Kept, hold, keep
from harness.bundle.manifest import Case, Manifest
from harness.bundle.offer import Bundles
from harness.bundle.quota import MOST, PROPERTY, Quota
from harness.errors import ApplianceFault, HostDiskFull, KernelPanic, QemuFailed
from harness.image.model import Breakglass, Kernel
from harness.machine.moment import Moment, State
from harness.options import Settings
from harness.package_data import images_folder
from harness.tests.bundle.test_secret import image, instance
from harness.tests.lab.played import PlayedFolders
from harness.tests.machine.specs import NO_QEMU, spec_of

SECRET = "planted-secret"
ALL = {FIRST, "state", "disk.qcow2", "start-disk.qcow2", KEY, "logs/console.log"}
CASE = Case("test_mine.py::test_it[virt]", "/there", error=f"E  it said {SECRET}")


class Subject:
    """An appliance of which only what a bundle needs is there, and the lab that made it."""

    def __init__(self, tmp_path: Path, of: Path, **settings: Any) -> None:
        self.disk, self.logs = tmp_path / "disk.qcow2", tmp_path / "logs"
        self.logs.mkdir()
        self.disk.write_text(SECRET)
        (self.logs / "console.log").write_text(f"before {SECRET} after")
        self.key: Path | None = tmp_path / "key"
        self.key.write_text("a private key")
        self.notes: list[str] = []
        facts: dict[str, Any] = {"digest": "d1", "kernel": Kernel("7.1"), "breakglass": Breakglass()}
        made = replace(image(of), path=of / "disk.img", **facts)
        qemu = replace(NO_QEMU)
        # It is read from a file otherwise, which is not there.
        vars(qemu)["digest"] = "q1"
        power = SimpleNamespace(
            spec=spec_of("virt", qemu=qemu),
            overlay=SimpleNamespace(path=self.disk),
            power_ons=[1],
            machine=SimpleNamespace(argv=("qemu", f"-append=token={SECRET}")),
            keep=self.moment,
            recorder=None,
        )
        self.appliance: Any = SimpleNamespace(
            image=made,
            power=power,
            board=board("virt"),
            folder=self.logs,
            no_key="",
            cold_start=None,
            console=SimpleNamespace(
                name="mine on virt",
                current=None,
                excerpt=lambda: f"[ 1.0]  {SECRET}\nlast",
                recording=SimpleNamespace(size=17),
            ),
            can=lambda _: True,
        )
        self.lab: Any = SimpleNamespace(
            settings=Settings(**settings),
            folders=PlayedFolders(tmp_path / "work"),
            journal=SimpleNamespace(note=self.notes.append),
            starts=SimpleNamespace(
                keys=SimpleNamespace(throw_away=lambda _: self.key),
                targets=SimpleNamespace(of=lambda *_: SimpleNamespace(key="its choice")),
                snapshots=SimpleNamespace(firmware=lambda *_: "f1"),
            ),
        )
        self.fails: Exception | None = None
        self.has_start = True

    def moment(self, folder: Path, *, base: Path) -> Moment:
        if self.fails is not None:
            raise self.fails
        (folder / "disk.qcow2").write_text(f"on the disk {SECRET}")
        (folder / "start-disk.qcow2").write_text(f"on it at first {SECRET}")
        (folder / "state").write_text(f"in memory {SECRET}")
        start = ("start-disk.qcow2",) if self.has_start else ()
        return Moment(folder, ("disk.qcow2",), State({"qemu": "q1"}), start)

    def keep(self) -> Kept:
        wanted = Wanted(board("virt"), CASE.id)
        held = hold(self.lab, self.appliance)
        try:
            return keep(self.lab, held, CASE, wanted, {"gk_qemu_arg": [f"-x={SECRET}"]})
        finally:
            held.release()


Open = Callable[[Kept], tuple[Manifest, dict[str, bytes]]]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """What a bundle says, and all that is in it, unpacked."""

    def open_it(kept: Kept) -> tuple[Manifest, dict[str, bytes]]:
        folder = tmp_path / "unpacked"
        folder.mkdir()
        unpack(kept.path, folder)
        content = {
            str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }
        return Manifest.of_json(content[FIRST], kept.path), content

    return open_it


def secret_instance(tmp_path: Path) -> Path:
    folder = tmp_path / "instance"
    folder.mkdir()
    flags = {"CommandLineFlags": [f"-token={SECRET}"]}
    return instance(folder, PackageConfig={"example.org/hello": flags})


def test_of_the_project_s_own_instances_all_goes_in(tmp_path: Path, opened: Open) -> None:
    subject = Subject(tmp_path, images_folder() / "hello-arm64")
    kept = subject.keep()
    manifest, content = opened(kept)
    assert kept.path == subject.logs / NAME
    assert kept.size == kept.path.stat().st_size
    assert set(content) == ALL
    assert set(manifest.members) == set(content) - {FIRST}
    assert (manifest.disks, manifest.start_disks) == (("disk.qcow2",), ("start-disk.qcow2",))
    assert content["state"] == f"in memory {SECRET}".encode()
    assert (manifest.notes, manifest.key, manifest.subject.own) == ((), KEY, "hello-arm64")
    assert manifest.case == CASE
    assert manifest.qemu.command[0] == "qemu"


def test_no_secret_of_somebody_s_instance_is_in_a_bundle(tmp_path: Path, opened: Open) -> None:
    kept = Subject(tmp_path, secret_instance(tmp_path)).keep()
    manifest, content = opened(kept)
    assert {name for name, text in content.items() if SECRET.encode() in text} == set()
    assert set(content) == {FIRST, "logs/console.log"}
    assert content["logs/console.log"] == b"before ************** after"
    assert manifest.state is None
    assert "CommandLineFlags (--gk-bundle-disk puts them in)" in manifest.notes[0]
    assert "CommandLineFlags" in kept.section[1]


def test_who_asks_for_it_gets_disk_and_memory_and_texts_are_still_without(tmp_path: Path, opened: Open) -> None:
    manifest, content = opened(Subject(tmp_path, secret_instance(tmp_path), bundle_disk=True).keep())
    secret = {name for name, text in content.items() if SECRET.encode() in text}
    assert secret == {"state", "disk.qcow2", "start-disk.qcow2"}
    assert KEY not in content
    assert manifest.state is not None


def test_a_key_that_lasts_stays_where_it_is(tmp_path: Path, opened: Open) -> None:
    subject = Subject(tmp_path, images_folder() / "hello-arm64")
    subject.key = None
    manifest, content = opened(subject.keep())
    assert KEY not in content
    assert "was not made for this run alone" in manifest.notes[0]


def test_a_machine_that_cannot_be_kept_leaves_its_logs_and_a_note(tmp_path: Path, opened: Open) -> None:
    subject = Subject(tmp_path, images_folder() / "hello-arm64")
    subject.fails = QemuFailed("QEMU could not migrate the state of the machine")
    manifest, content = opened(subject.keep())
    assert set(content) == {FIRST, "logs/console.log"}
    assert manifest.notes == ("disk and memory: QEMU could not migrate the state of the machine",)


def test_a_host_without_room_for_the_disk_at_the_start_leaves_a_note(tmp_path: Path, opened: Open) -> None:
    subject = Subject(tmp_path, images_folder() / "hello-arm64")
    subject.has_start = False
    manifest, content = opened(subject.keep())
    assert set(content) == ALL - {"start-disk.qcow2"}
    assert manifest.start_disks == ()
    assert manifest.notes == ("the disk as it was at the start: this host had no room for a copy",)


def test_a_machine_that_has_ended_leaves_its_logs(tmp_path: Path, opened: Open) -> None:
    subject = Subject(tmp_path, images_folder() / "hello-arm64")
    subject.disk.unlink()
    assert opened(subject.keep())[0].notes == ("disk and memory: the machine had ended, and its disk is gone",)


def test_neither_an_older_bundle_nor_a_huge_log_goes_in(tmp_path: Path, opened: Open) -> None:
    subject = Subject(tmp_path, images_folder() / "hello-arm64")
    (subject.logs / NAME).write_text("of an earlier try")
    with (subject.logs / "flood.log").open("wb") as file:
        file.truncate(LARGEST_LOG + 1)
    manifest, content = opened(subject.keep())
    assert set(content) == ALL
    assert manifest.notes == ("flood.log: it has 67 MB",)


def test_nothing_is_left_on_this_host_but_the_bundle(tmp_path: Path) -> None:
    subject = Subject(tmp_path, images_folder() / "hello-arm64")
    subject.keep()
    assert list((tmp_path / "work").iterdir()) == []
    assert sorted(path.name for path in subject.logs.iterdir()) == [NAME, "console.log"]


def test_the_first_failures_get_one_unless_more_are_asked_for() -> None:
    def takes(which: str | None) -> list[bool]:
        quota = Quota(which)
        return [quota.takes(failed=failed) for failed in [False, *[True] * (MOST + 1)]]

    assert takes(None) == [False, *[True] * MOST, False]
    assert takes("failed") == [False, *[True] * (MOST + 1)]
    assert takes("all") == [True] * (MOST + 2)
    assert takes("off") == [False] * (MOST + 2)


def item_of() -> Any:
    """The test of this appliance, as pytest has it."""
    return SimpleNamespace(
        stash=pytest.Stash(),
        nodeid=CASE.id,
        path=Path("/there/test_mine.py"),
        config=SimpleNamespace(
            stash=pytest.Stash(),
            option=SimpleNamespace(randomly_seed=7),
            rootpath=Path("/there"),
            getoption=lambda _: None,
            getini=lambda _: None,
            inipath=None,
            invocation_params=SimpleNamespace(dir=Path("/there")),
        ),
        iter_markers=lambda _: (),
        user_properties=[],
        fixturenames=["appliance"],
    )


def report(
    subject: Subject,
    *,
    when: str = "call",
    outcome: str = "failed",
    bundles: Bundles | None = None,
    has_appliance: bool = True,
    error: Exception | None = None,
    item: Any = None,
    beside: tuple[Subject, ...] = (),
) -> Any:
    """The report of a test of this appliance after it was offered."""
    item = item or item_of()
    made = pytest.TestReport(CASE.id, ("", 0, ""), {}, outcome, "it failed", when)  # type: ignore[arg-type]
    bundles = bundles or Bundles(subject.lab)
    appliances = [one.appliance for one in (subject, *beside)] if has_appliance else []
    bundles.offer(item, made, appliances, error)
    return made


def test_the_report_of_a_failed_test_has_the_line_to_copy(tmp_path: Path, opened: Open) -> None:
    subject = Subject(tmp_path, images_folder() / "hello-arm64")
    made = report(subject)
    line = dict(made.user_properties)[PROPERTY]
    assert line.startswith(f"gokharness repro {subject.logs / NAME}  (")
    assert ("gokrazy bundle", line) in made.sections
    manifest = opened(Kept(subject.logs / NAME, 0, ()))[0]
    assert (manifest.case.error, manifest.case.seed) == ("it failed", "7")
    assert manifest.wanted["running"] is True


def test_the_logs_of_the_other_appliance_go_in_and_neither_s_secrets(tmp_path: Path, opened: Open) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    subject = Subject(tmp_path / "one", images_folder() / "hello-arm64")
    other = Subject(tmp_path / "other", secret_instance(tmp_path))
    (subject.logs / "console.log").write_text(f"one said {SECRET}")
    (other.logs / "console.log").write_text(f"the other said {SECRET}")
    report(subject, beside=(other,))
    manifest, content = opened(Kept(subject.logs / NAME, 0, ()))
    assert content["logs/console.log"] == b"one said " + b"*" * len(SECRET)
    assert content["logs/other-console.log"] == b"the other said " + b"*" * len(SECRET)
    assert [note for note in manifest.notes if "the other appliance" in note] != []
    assert not any(name.startswith("other") for name in content), "nothing of its disk"


def ended(subject: Subject) -> None:
    """Its machine ends, and its disk goes."""
    subject.disk.unlink()
    subject.fails = AssertionError("nobody asks a machine that has ended")


def test_what_did_not_come_up_is_held_until_its_test_is_reported(tmp_path: Path, opened: Open) -> None:
    subject = Subject(tmp_path, images_folder() / "hello-arm64")
    bundles = Bundles(subject.lab)
    bundles.failed_start(subject.appliance)
    ended(subject)
    made = report(subject, when="setup", bundles=bundles, error=KernelPanic("no root"))
    assert PROPERTY in dict(made.user_properties)
    manifest, content = opened(Kept(subject.logs / NAME, 0, ()))
    assert set(content) == ALL
    assert (manifest.notes, manifest.case.error) == ((), "it failed")
    assert list((tmp_path / "work").iterdir()) == []


def test_only_the_last_machine_that_did_not_come_up_is_held_and_none_beyond_the_quota(tmp_path: Path) -> None:
    subject = Subject(tmp_path, images_folder() / "hello-arm64")
    bundles = Bundles(subject.lab)
    for held in (1, 1, 1, 0):
        bundles.failed_start(subject.appliance)
        assert len(list((tmp_path / "work").iterdir())) == held
    ended(subject)
    assert report(subject, when="setup", bundles=bundles).user_properties == []


def known(tmp_path: Path) -> ApplianceFault:
    """The error of a start that failed before in this run, for a test that would try it again."""
    start = FailedStarts(tmp_path / "run", note=lambda _: None).of("hello on virt")
    with contextlib.suppress(KernelPanic), start.watched(tmp_path / "logs"):
        raise KernelPanic("no root")
    with pytest.raises(KernelPanic) as raised:
        start.check()
    return raised.value


@pytest.mark.parametrize("has_appliance", [False, True], ids=["never started", "of an earlier try"])
def test_a_test_whose_start_had_failed_before_names_the_bundle_of_that_one_and_makes_none(
    tmp_path: Path, has_appliance: bool
) -> None:
    subject = Subject(tmp_path, images_folder() / "hello-arm64")
    bundles, error = Bundles(subject.lab), known(tmp_path)
    named: dict[str, Any] = {"bundles": bundles, "has_appliance": has_appliance, "error": error, "when": "setup"}
    assert report(subject, **named).user_properties == []
    (subject.logs / NAME).write_text("a bundle")
    made = report(subject, **named)
    line = f"gokharness repro {subject.logs / NAME}  (0.0 MB)"
    assert (made.user_properties, made.sections) == ([(PROPERTY, line)], [("gokrazy bundle", line)])
    assert (subject.logs / NAME).read_text() == "a bundle"


def test_a_machine_that_cannot_be_held_is_a_note(tmp_path: Path) -> None:
    subject = Subject(tmp_path, images_folder() / "hello-arm64")
    subject.fails = ValueError("a slip")
    Bundles(subject.lab).failed_start(subject.appliance)
    assert subject.notes == ["mine on virt: no bundle is kept: ValueError: a slip"]
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(("when", "outcome"), [("call", "passed"), ("call", "skipped"), ("setup", "passed")])
def test_a_test_that_did_not_fail_gets_none(tmp_path: Path, when: str, outcome: str) -> None:
    subject = Subject(tmp_path, images_folder() / "hello-arm64")
    assert report(subject, when=when, outcome=outcome).user_properties == []
    assert not (subject.logs / NAME).exists()


@pytest.mark.parametrize("error", [ValueError("a slip"), HostDiskFull("no room"), OSError(28, "No space left")])
def test_whatever_goes_wrong_with_a_bundle_is_a_note_and_the_report_stays(
    tmp_path: Path, error: Exception
) -> None:
    subject = Subject(tmp_path, images_folder() / "hello-arm64")

    def fail(*_: Any) -> Any:
        raise error

    subject.lab.folders = SimpleNamespace(folder=fail)
    subject.lab.starts.snapshots.firmware = fail
    made = report(subject)
    assert (made.sections, made.user_properties) == ([], [])
    assert len(subject.notes) == 1
    assert "no bundle is kept" in subject.notes[0]
