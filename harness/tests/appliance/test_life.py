"""How an appliance is switched on, and when it counts as ready, at rest or stuck."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from harness.appliance import life
from harness.appliance.appliance import Appliance
from harness.appliance.core import Core
from harness.appliance.failed_starts import FailedStarts
from harness.appliance.start_watch import StartWatch
from harness.console.phases import Boot, Cause, Phase
from harness.errors import (
    ApplianceFault,
    BootFailure,
    KernelPanic,
    OptionError,
    QemuFailed,
    WaitTimeout,
)
from harness.firmware.voice import Voice
from harness.image.model import Extent, Layout, Service
from harness.tests.appliance.played import HEARD, appliance


def test_what_falls_for_ever_keeps_nobody_from_being_at_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    asked: list[str] = []

    def falls() -> None:
        asked.append("settled")
        raise ApplianceFault("it does not stay up")

    def talks(_: float, *, timeout: float) -> None:
        asked.append("quiet")
        raise WaitTimeout(f"waited {timeout} s")

    monkeypatch.setattr(subject, "wait_until_settled", falls)
    monkeypatch.setattr(subject.console, "wait_for_quiet", talks)
    subject.wait_until_at_rest()
    assert asked == ["settled", "quiet"]
    monkeypatch.setattr(subject.power, "failure", QemuFailed("it ended"))
    with pytest.raises(QemuFailed):
        subject.wait_until_at_rest()
    subject.console.close()


@pytest.mark.parametrize(
    ("starts", "voice", "until"),
    [
        (True, HEARD, Phase.UPDATER),
        # No init is heard: only its silence tells that it is stuck.
        (True, Voice("ttyAMA0", kernel=True, init=False), None),
        # Nobody watches a start by its phases.
        (False, HEARD, None),
    ],
)
def test_one_whose_services_run_is_judged_by_its_network_and_not_by_its_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starts: bool, voice: Voice, until: Phase | None
) -> None:
    subject = appliance(tmp_path, "raspi4b", no_quirks=False, voice=voice)
    monkeypatch.setattr(subject, "missing", lambda ability: "")
    watched = Mock(side_effect=nullcontext)
    monkeypatch.setattr(subject.console, "watch_silence", lambda limit, until: watched(until))
    monkeypatch.setattr(subject, "_until", lambda phase, after, limit: None)
    monkeypatch.setattr(subject.power, "on", lambda: None)
    if starts:
        subject.power_on()
    subject._until_it_listens(0, 10.0)
    subject.console.close()
    watched.assert_called_once_with(until)


def test_one_that_reboots_is_watched_as_one_that_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    seen: list[object] = []
    monkeypatch.setattr(subject, "_until_it_listens", lambda after, limit: seen.append(subject._starting))
    subject._comes_back(0)
    (watch,) = seen
    assert isinstance(watch, StartWatch)
    subject._serves()
    subject.console.close()
    assert subject._starting is None


@pytest.mark.parametrize(
    ("written", "cmdline", "refused"),
    [
        ((), "", True),
        ((Extent(300, 50),), "", True),
        ((Extent(300, 101),), "", False),
        ((Extent(100, 10),), "", False),
        ((Extent(100, 10),), "root=PARTUUID=60c24cc1-0000/PARTNROFF=2", True),
        ((Extent(300, 50), Extent(0, 1)), "", False),
    ],
)
def test_one_whose_disk_starts_as_the_image_is_not_switched_on_where_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: tuple[Extent, ...], cmdline: str, refused: bool
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    layout = Layout(Extent(0, 100), Extent(100, 100), Extent(300, 100), None)
    for name, value in {"layout": layout, "cmdline": cmdline}.items():
        object.__setattr__(subject.image, name, value)
    subject.power.overlay.written = list(written)
    start = FailedStarts(tmp_path / "run", note=lambda _: None).of("hello on virt")
    with pytest.raises(KernelPanic), start.watched(tmp_path):
        raise KernelPanic("no root")
    subject.first_start = start
    monkeypatch.setattr(subject, "can", lambda _: False)
    monkeypatch.setattr(subject.power, "on", lambda: None)
    if refused:
        with pytest.raises(KernelPanic, match="not started again"):
            subject.power_on()
    else:
        subject.power_on()
    subject.console.close()


class Device:
    """Answers as a device does whose /perm is mounted, or is not until it has rebooted."""

    def __init__(self, *, mounted: bool, comes_back: bool = True) -> None:
        self.status = SimpleNamespace(perm_is_mounted=mounted)
        self.comes_back = comes_back
        self.asked = 0

    def wait_until_ready(self, _: float) -> Any:
        return self.status

    def wait_until_perm_is_mounted(self, _: float) -> Any:
        self.asked += 1
        if not self.comes_back:
            raise WaitTimeout("waited for /perm", evidence="it answers, and /perm is not mounted")
        return SimpleNamespace(perm_is_mounted=True)


def coming_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: Device, perm: str, boots: list[Boot]
) -> Appliance:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    subject.console.close()
    for name, value in {"perm": perm, "serial": None, "services": (Service("/user/mkfs"),)}.items():
        object.__setattr__(subject.image, name, value)
    played = SimpleNamespace(
        boots=boots,
        current=boots[-1],
        name="mine on virt",
        unclean=list,
        serves=lambda: None,
        recording=SimpleNamespace(seconds=lambda: 30.0),
    )
    monkeypatch.setattr(subject, "console", played)
    monkeypatch.setattr(subject, "_device", device)
    monkeypatch.setattr(subject, "can", lambda ability: ability == "http")
    monkeypatch.setattr(subject, "_until_it_listens", lambda *_: None)
    monkeypatch.setattr(subject, "_last_words", lambda path: f"{path}: mke2fs: no space")
    return subject


FIRST = Boot(1, Cause.POWER_ON, 0.0)
AGAIN = Boot(2, Cause.KEXEC, 9.0, asked=True)


def test_a_first_start_that_formats_perm_is_two_boots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(mounted=False)
    subject = coming_up(tmp_path, monkeypatch, device, "mkfs", [FIRST, AGAIN])
    subject.wait_until_ready()
    assert device.asked == 1
    assert subject.cold_start is not None
    assert (subject.cold_start.earlier, subject.cold_start.boot) == ((FIRST,), AGAIN)


@pytest.mark.parametrize(("perm", "mounted"), [("mkfs", True), ("blank", False), ("ext4", True)])
def test_one_that_is_formatted_or_never_will_be_is_ready_when_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, perm: str, mounted: bool
) -> None:
    device = Device(mounted=mounted)
    subject = coming_up(tmp_path, monkeypatch, device, perm, [FIRST])
    subject.wait_until_ready()
    assert device.asked == 0
    assert subject.cold_start is not None
    assert (subject.cold_start.earlier, subject.cold_start.boot) == ((), FIRST)


def test_one_that_does_not_format_perm_is_red_with_what_its_mkfs_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = coming_up(tmp_path, monkeypatch, Device(mounted=False, comes_back=False), "mkfs", [FIRST])
    with pytest.raises(WaitTimeout) as caught:
        subject.wait_until_ready()
    assert "/user/mkfs: mke2fs: no space" in caught.value.evidence
    assert "did not reboot" in caught.value.hint


def test_a_device_that_is_not_heard_and_never_answers_says_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = Voice("ttyAMA0", kernel=False, init=False, why="its serial console is serial0")
    subject = appliance(tmp_path, "virt", no_quirks=False, voice=silent)

    def late(_: float) -> None:
        raise WaitTimeout("waited 150 s for the device to answer over HTTP")

    monkeypatch.setattr(Core, "device", SimpleNamespace(wait_until_ready=late))
    with pytest.raises(WaitTimeout) as caught:
        subject.wait_until_ready()
    assert "its serial console is serial0" in caught.value.hint
    assert ("gokrazy console, why init is not heard there", silent.why) in subject.excerpts()
    subject.console.close()


def test_what_has_neither_web_interface_nor_console_is_not_waited_for(tmp_path: Path) -> None:
    silent = Voice("ttyAMA0", kernel=False, init=False, why="its serial console is serial0")
    subject = appliance(tmp_path, "virt", no_quirks=False, voice=silent)
    object.__setattr__(subject.running, "password", None)
    with pytest.raises(OptionError, match="nothing says when it is up"):
        subject.wait_until_ready()
    subject.console.close()


def test_without_a_password_it_is_up_when_init_listens_on_its_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    object.__setattr__(subject.running, "password", None)
    asked: list[Phase] = []
    monkeypatch.setattr(subject, "_until", lambda phase, *_: asked.append(phase))
    subject.wait_until_ready()
    assert asked == [Phase.SOCKET]
    assert subject.cold_start is not None
    # Nobody has answered over HTTP, so there is no such time.
    assert [set(times) & {"ready"} for _, _, times in subject.boot_times()] == [set()]
    subject.console.close()


def test_a_wait_that_runs_out_says_how_long_it_was_and_nothing_of_its_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    monkeypatch.setattr(life, "LOOK", 0.01)
    with pytest.raises(
        WaitTimeout, match=r"waited 0 s on the console for the boot phase 'http'; no kernel"
    ) as caught:
        subject._until(Phase.HTTP, 0, 0.05)
    assert caught.value.__context__ is None
    monkeypatch.setattr(subject, "check", Mock(side_effect=BootFailure("no kernel has started within 45 s")))
    with pytest.raises(BootFailure) as failed:
        subject._until(Phase.HTTP, 0, 10)
    assert failed.value.__context__ is None
    subject.console.close()
