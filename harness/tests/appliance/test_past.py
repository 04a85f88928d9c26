"""What an appliance says of its boots, and of a failure."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import requests

from harness.appliance.past import AFTERMATH
from harness.console.findings import CrashWatcher
from harness.console.lines import Line
from harness.console.phases import Boot, Cause
from harness.errors import (
    ApplianceFault,
    BootFailure,
    ConsoleSilence,
    DeviceUnreachable,
    Fault,
    HarnessError,
    KernelPanic,
    QemuCrashed,
    WaitTimeout,
    behind,
    fault_of,
)
from harness.machine.power import Power
from harness.machine.processor_time import Shortage
from harness.machine.screen import Picture
from harness.tests.appliance.played import appliance
from harness.tests.report.samples import screen


@pytest.mark.parametrize(
    ("failure", "asked"),
    [
        (DeviceUnreachable("no answer"), True),
        (WaitTimeout("waited"), True),
        (AssertionError("2 == 3"), False),
        (None, False),
    ],
)
def test_a_device_and_its_qemu_are_asked_only_when_it_could_not_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException | None, asked: bool
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    monkeypatch.setattr(Power, "is_on", True)
    monkeypatch.setattr(subject, "can", lambda ability: ability == "serial-shell")
    monkeypatch.setattr(subject, "network_from_within", lambda: "no routes")
    monkeypatch.setattr(Power, "machine", None)
    monkeypatch.setattr("harness.appliance.past.diagnose", lambda machine: ["QEMU: paused", "no disk"])
    said = [text for title, text in subject.excerpts(failure) if "network" in title or "machine" in title]
    subject.console.close()
    assert said == (["no routes", "QEMU: paused\nno disk"] if asked else [])


@pytest.mark.parametrize(
    ("shown", "said", "kept"),
    [
        (screen(1), "all is well", True),
        (None, "all is well", False),
        (Picture(640, 480, bytes(640 * 480 * 3)), "all is well", False),
        (screen(1), "my password is geheim-geheim", False),
    ],
    ids=["a text", "no screen", "black", "a password"],
)
def test_its_screen_is_kept_if_it_is_evidence_and_shows_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: Picture | None, said: str, kept: bool
) -> None:
    subject = appliance(tmp_path, "raspi3b", no_quirks=False)
    subject.time_line.keep_secret("geheim-geheim")
    monkeypatch.setattr(Power, "machine", None)
    monkeypatch.setattr("harness.appliance.past.picture", lambda machine, folder: shown)
    subject.console._intake.data(f"[    0.100000] {said}\r\n".encode())
    subject.look_at_screen()
    assert not (tmp_path / "screen.png").exists(), "it is off"
    monkeypatch.setattr(Power, "is_on", True)
    subject.look_at_screen()
    subject.console.close()
    assert (subject.screen is not None) == kept == (tmp_path / "screen.png").is_file()
    assert any("picture" in one.text for one in subject.time_line.happenings) == kept
    if subject.screen is not None:
        assert (tmp_path / "screen.png").read_bytes() == subject.screen.png


@pytest.mark.parametrize("hint", ["look there", ""])
@pytest.mark.parametrize("behind", [KernelPanic, QemuCrashed])
def test_a_death_that_shows_after_the_connection_was_lost_is_told_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind: type[HarnessError], hint: str
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    death = behind("it died", hint=hint, evidence="Kernel panic")
    asked: list[float] = []

    def wait(seconds: float) -> None:
        asked.append(seconds)
        if behind is KernelPanic:
            raise death

    def check() -> None:
        if asked and behind is QemuCrashed:
            raise death

    monkeypatch.setattr(subject.console, "wait", wait)
    monkeypatch.setattr(subject.power, "check", check)
    error = DeviceUnreachable("connection reset", evidence="GET /", hint="is the device up?")
    for _ in range(2):
        subject.explain(error)
    subject.console.close()
    assert error.what == "it died; then: connection reset"
    assert (error.hint, error.evidence, error.fault) == (hint, "Kernel panic\nGET /", death.fault)
    assert asked == [AFTERMATH]


@pytest.mark.parametrize(
    ("error", "waits"), [(requests.ConnectionError("reset by peer"), True), (AssertionError("2 == 3"), False)]
)
def test_what_a_test_raises_itself_is_headed_by_a_death_that_nobody_has_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, waits: bool
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    death = KernelPanic("it died", hint="look there")

    def died(*_: object) -> None:
        raise death

    monkeypatch.setattr(subject.console, "wait" if waits else "check_unseen", died)
    said = str(error)
    for _ in range(2):
        subject.explain(error)
    subject.console.close()
    assert str(error) == f"it died; then: {said}"
    assert error.__cause__ is death
    assert behind(error) is death
    assert fault_of(error) is Fault.APPLIANCE


@pytest.mark.parametrize("error", [KeyboardInterrupt("x"), pytest.skip.Exception("x"), QemuCrashed("x")])
def test_what_is_no_failure_of_a_test_or_blames_nobody_else_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    monkeypatch.setattr(subject.console, "check_unseen", Mock(side_effect=KernelPanic("it died")))
    subject.explain(error)
    subject.console.close()
    assert (str(error), error.__cause__, behind(error)) == ("x", None, None)


def test_a_death_that_a_wait_has_ended_with_heads_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    monkeypatch.setattr(subject.console, "check_unseen", lambda: None)
    monkeypatch.setattr(subject.console, "check", lambda: pytest.fail("it was seen, and is old news"))
    error = AssertionError("2 == 3")
    subject.explain(error)
    subject.console.close()
    assert str(error) == "2 == 3"


def test_only_a_lost_connection_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    asked: list[float] = []
    monkeypatch.setattr(subject.console, "wait", asked.append)
    lost = DeviceUnreachable("no answer")
    for error in (AssertionError("2 == 3"), WaitTimeout("waited"), lost):
        subject.explain(error)
    subject.console.close()
    assert asked == [AFTERMATH]
    assert lost.what == "no answer"


def test_a_device_that_is_off_is_asked_nothing(tmp_path: Path) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    assert not any("network" in title for title, _ in subject.excerpts(WaitTimeout("waited")))
    subject.console.close()


@pytest.mark.parametrize(
    ("causes", "again"),
    [
        ([Cause.POWER_ON, Cause.KEXEC], False),
        ([Cause.RESTORED], False),
        ([Cause.RESTORED, Cause.KEXEC], True),
        ([Cause.RESTORED, Cause.RESET], True),
        ([Cause.RESTORED, Cause.POWER_ON, Cause.KEXEC], False),
        ([Cause.RESTORED, Cause.RESET, Cause.POWER_ON], True),
    ],
)
def test_a_restored_appliance_that_boots_without_being_switched_off_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, causes: list[Cause], again: bool
) -> None:
    subject = appliance(tmp_path, "pc-bios", no_quirks=False)
    subject.console.close()
    boots = [Boot(number, cause, 0.0) for number, cause in enumerate(causes, 1)]
    monkeypatch.setattr(subject, "console", SimpleNamespace(boots=boots))
    assert subject.booted_again is again


STARVED = Shortage(seconds=100.0, ran=20.0, waited=100.0)
BUSY = Shortage(seconds=100.0, ran=90.0, waited=100.0)
IDLE = Shortage(seconds=100.0, ran=0.1, waited=1.0)


def overdue(error: ApplianceFault) -> ApplianceFault:
    error.overdue = True
    return error


@pytest.mark.parametrize(
    ("failure", "shortage", "fault"),
    [
        (WaitTimeout("waited"), STARVED, Fault.HOST),
        (ConsoleSilence("it says nothing any more"), STARVED, Fault.HOST),
        (overdue(BootFailure("no kernel has started")), STARVED, Fault.HOST),
        (overdue(DeviceUnreachable("nothing answered")), STARVED, Fault.HOST),
        (BootFailure("the kernel finds no root file system"), STARVED, Fault.APPLIANCE),
        (DeviceUnreachable("it refused the connection"), STARVED, Fault.APPLIANCE),
        (KernelPanic("it died by its own word"), STARVED, Fault.APPLIANCE),
        (WaitTimeout("waited"), BUSY, Fault.APPLIANCE),
        (WaitTimeout("waited"), IDLE, Fault.APPLIANCE),
        (WaitTimeout("waited"), None, Fault.APPLIANCE),
    ],
)
def test_a_limit_that_passed_while_the_host_let_qemu_starve_is_the_hosts_fault(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: ApplianceFault,
    shortage: Shortage | None,
    fault: Fault,
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    monkeypatch.setattr(Power, "shortage", lambda _: shortage)
    subject.explain(failure)
    subject.explain(failure)
    subject.console.close()
    assert failure.fault is fault
    said = "17% of the processor time that it could have used in the last 100 s"
    assert failure.hint.count(said) == (fault is Fault.HOST)
    assert type(failure).fault is Fault.APPLIANCE


@pytest.mark.parametrize(
    ("said", "what", "fault"),
    [
        ("Out of memory: Killed process 161 (hungry)", "memory ran out", Fault.APPLIANCE),
        ("watchdog: BUG: soft lockup - CPU#0 stuck for 26s!", "a processor was stuck", Fault.HOST),
        ("INFO: task hello:161 blocked for more than 120 seconds.", "task hello:161 blocked", Fault.HOST),
    ],
)
def test_the_host_excuses_what_it_causes_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, what: str, fault: Fault
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    subject.console.close()
    monkeypatch.setattr(Power, "shortage", lambda _: STARVED)
    watcher = CrashWatcher()
    watcher.see(Line(20.0, 0, f"[ 1.0] {said}", kernel=True), boot=1)
    watcher.tick(100.0, settle=True)
    monkeypatch.setattr(
        subject,
        "console",
        SimpleNamespace(unclean=lambda: watcher.findings, check_unseen=lambda: None, findings=[]),
    )
    failure = WaitTimeout("waited")
    subject.explain(failure)
    subject.explain(failure)
    assert failure.fault is fault
    assert failure.what.startswith(what)


@pytest.mark.parametrize(("perm", "first"), [("ext4", "/perm is not mounted from /dev/vda4"), ("blank", "waited")])
def test_a_perm_that_is_lost_heads_what_fails_after_it_and_a_blank_one_does_not(
    tmp_path: Path, perm: str, first: str
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    object.__setattr__(subject.image, "perm", perm)
    watcher = CrashWatcher()
    said = "mount.go:159: Could not mount permanent storage partition /dev/vda4 as ext4: invalid argument"
    watcher.see(Line(20.0, 0, f"2026/11/26 19:20:58 {said}"), boot=1)
    error = WaitTimeout("waited")
    console = SimpleNamespace(unclean=list, check_unseen=lambda: None, findings=watcher.findings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject, "console", console)
        subject.explain(error)
    subject.console.close()
    assert error.what.startswith(first)
