from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from harness.appliance import appliance as module
from harness.appliance.appliance import Appliance
from harness.appliance.failed_starts import FailedStarts
from harness.appliance.start_watch import StartWatch
from harness.appliance.ways_in import WaysIn
from harness.boards import board
from harness.console.phases import Boot, Cause, Phase
from harness.errors import (
    ApplianceFault,
    BootFailure,
    DeviceUnreachable,
    KernelPanic,
    OptionError,
    QemuFailed,
    RebootLoop,
    WaitTimeout,
)
from harness.firmware.voice import Voice
from harness.image.model import Breakglass, Extent, Image, Layout, Service
from harness.machine.equipment import Equipment
from harness.machine.ports import Port
from harness.machine.power import Power
from harness.tests.machine.specs import NO_QEMU, spec_of

REACHED = Equipment(forwards=(Port(80), Port(443), Port(53, "udp")))

HEARD = Voice("ttyAMA0", kernel=True, init=True)


def played_image() -> Image:
    made = Image.__new__(Image)
    known: dict[str, Any] = {"hostname": "hello", "http_port": 80, "https_port": 443, "services": ()}
    for name, value in {**known, "breakglass": None, "password": "pw"}.items():
        object.__setattr__(made, name, value)
    return made


def appliance(tmp_path: Path, name: str, *, no_quirks: bool, voice: Voice = HEARD) -> Appliance:
    nothing: Any = SimpleNamespace(path=tmp_path / "disk" / "disk.qcow2")
    return Appliance(
        spec=spec_of(name, qemu=NO_QEMU, equipment=REACHED, quirks=not no_quirks),
        image=played_image(),
        budget=board(name).budget,
        overlay=nothing,
        stage=nothing,
        run_dir=nothing,
        folder=tmp_path,
        key=None,
        files_of=nothing,
        voice_of=lambda image: voice,
    )


@pytest.mark.parametrize(
    ("name", "no_quirks", "told"),
    [
        ("raspi4b", True, "hello on raspi4b with --gk-no-quirks"),
        ("raspi4b", False, "hello on raspi4b"),
        ("raspi-virt", True, "hello on raspi-virt"),
        ("virt", True, "hello on virt"),
    ],
)
def test_what_the_console_is_blamed_for_says_that_the_quirks_are_off(
    tmp_path: Path, name: str, no_quirks: bool, told: str
) -> None:
    subject = appliance(tmp_path, name, no_quirks=no_quirks)
    with pytest.raises(WaitTimeout) as caught:
        subject.console.wait_for_phase("kernel", timeout=0.0)
    subject.console.close()
    assert caught.value.where == told


@pytest.mark.parametrize(
    ("failure", "asked"),
    [
        (DeviceUnreachable("no answer"), True),
        (WaitTimeout("waited"), True),
        (AssertionError("2 == 3"), False),
        (None, False),
    ],
)
def test_a_device_is_asked_for_its_network_only_when_it_could_not_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException | None, asked: bool
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    monkeypatch.setattr(Power, "is_on", True)
    monkeypatch.setattr(subject, "can", lambda ability: ability == "serial-shell")
    monkeypatch.setattr(subject, "network_from_within", lambda: "no routes")
    said = [text for title, text in subject.excerpts(failure) if "network" in title]
    subject.console.close()
    assert said == (["no routes"] if asked else [])


def test_a_device_that_is_off_is_asked_nothing(tmp_path: Path) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    assert not any("network" in title for title, _ in subject.excerpts(WaitTimeout("waited")))
    subject.console.close()


def test_a_device_without_an_answer_says_why(tmp_path: Path) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    assert subject.network_from_within().startswith("ip address; ip route")
    subject.console.close()


def test_somebody_with_another_password_speaks_tls_where_the_device_does(tmp_path: Path) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    subject.power.ports = {Port(80): 1, Port(443): 2}
    assert subject.device_with_password("x").url == "http://127.0.0.1:1"
    subject.device.over_tls()
    assert subject.device_with_password("x").url == "https://127.0.0.1:2"
    subject.console.close()


def test_a_port_is_that_of_this_host_which_leads_to_the_appliance_s(tmp_path: Path) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    subject.console.close()
    subject.power.ports = {Port(80): 1, Port(443): 2, Port(53, "udp"): 3}
    assert (subject.port(80), subject.port("443/tcp"), subject.port("53/udp")) == (1, 2, 3)
    assert subject.url(443, "/x", scheme="https") == "https://127.0.0.1:2/x"


def test_a_port_that_is_not_forwarded_names_the_option(tmp_path: Path) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    subject.console.close()
    with pytest.raises(OptionError, match="53/tcp of the appliance is not forwarded") as caught:
        subject.port(53)
    assert caught.value.hint == "give --gk-forward 53/tcp (ini: gk_forward); forwarded: 80/tcp, 443/tcp, 53/udp"
    with pytest.raises(OptionError, match="not a port"):
        subject.url("http")
    with pytest.raises(OptionError, match="was not switched on"):
        subject.port("53/udp")


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
def test_a_copy_that_boots_without_being_switched_off_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, causes: list[Cause], again: bool
) -> None:
    subject = appliance(tmp_path, "pc-bios", no_quirks=False)
    subject.console.close()
    boots = [Boot(number, cause, 0.0) for number, cause in enumerate(causes, 1)]
    monkeypatch.setattr(subject, "console", SimpleNamespace(boots=boots))
    assert subject.booted_again is again


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
    ("written", "cmdline", "told"),
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: tuple[Extent, ...], cmdline: str, told: bool
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
    if told:
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


def asked(count: int) -> list[Boot]:
    return [FIRST, *(Boot(number, Cause.RESET, 9.0 * number, asked=True) for number in range(2, 2 + count))]


@pytest.mark.parametrize(
    ("perm", "reboots", "red"), [("mkfs", 1, False), ("mkfs", 2, True), ("ext4", 3, False), ("ext4", 4, True)]
)
def test_reboots_without_end_are_red_though_a_program_asks_for_each(perm: str, reboots: int, red: bool) -> None:
    boots: list[Boot] = []
    console: Any = SimpleNamespace(boots=boots, name="mine", recording=SimpleNamespace(seconds=lambda: 30.0))
    image = played_image()
    object.__setattr__(image, "perm", perm)
    watch = StartWatch(console, image, HEARD, board("virt").budget)
    boots.extend(asked(reboots))
    if red:
        with pytest.raises(RebootLoop, match=f"asked for a reboot {reboots} times"):
            watch.check()
    else:
        watch.check()


def test_one_that_has_answered_and_formats_perm_for_long_is_not_called_mute() -> None:
    boots: list[Boot] = []
    console: Any = SimpleNamespace(boots=boots, name="mine", excerpt=lambda _: "", recording=None)
    console.recording = SimpleNamespace(seconds=lambda: 500.0)
    watch = StartWatch(console, played_image(), HEARD, board("virt").budget)
    boots.append(Boot(1, Cause.POWER_ON, 0.0, at={Phase.HTTP: 10.0}, http=("10.0.2.15:80",)))
    object.__setattr__(watch._image, "perm", "mkfs")
    with pytest.raises(DeviceUnreachable):
        watch.check()
    watch.has_answered()
    watch.check()


def test_a_device_that_is_not_heard_and_never_answers_says_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = Voice("ttyAMA0", kernel=False, init=False, why="its serial console is serial0")
    subject = appliance(tmp_path, "virt", no_quirks=False, voice=silent)

    def late(_: float) -> None:
        raise WaitTimeout("waited 150 s for the device to answer over HTTP")

    monkeypatch.setattr(WaysIn, "device", SimpleNamespace(wait_until_ready=late))
    with pytest.raises(WaitTimeout) as caught:
        subject.wait_until_ready()
    assert "its serial console is serial0" in caught.value.hint
    assert ("gokrazy console, why init is not heard there", silent.why) in subject.excerpts()
    subject.console.close()


def test_what_has_neither_web_interface_nor_console_is_not_waited_for(tmp_path: Path) -> None:
    silent = Voice("ttyAMA0", kernel=False, init=False, why="its serial console is serial0")
    subject = appliance(tmp_path, "virt", no_quirks=False, voice=silent)
    object.__setattr__(subject.running, "password", None)
    with pytest.raises(OptionError, match="nothing tells when it is up"):
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
    # Nobody has answered over HTTP, so no time of that is told.
    assert [set(times) & {"ready"} for _, _, times in subject.boot_times()] == [set()]
    subject.console.close()


def test_a_wait_that_runs_out_says_how_long_it_was_and_nothing_of_its_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    monkeypatch.setattr(module, "LOOK", 0.01)
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


def test_the_next_image_s_console_and_password_are_those_that_count_after_an_update(tmp_path: Path) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    other = played_image()
    object.__setattr__(other, "password", None)
    silent = Voice("ttyAMA0", kernel=False, init=False, why="its serial console is serial0")
    subject._voice_of = lambda image: silent if image is other else HEARD
    assert subject.can("console")
    subject._now_runs(other)
    assert not subject.can("console")
    assert not subject.can("http")
    assert "serial0" in subject.console.timed_out("x", 1.0).what
    subject.console.close()


@pytest.mark.parametrize(
    ("builder", "args", "port"),
    [
        ("own", ("-port=8022",), 22),
        ("given", (), 22),
        ("given", ("-authorized_keys=/etc/keys",), 22),
        ("given", ("-authorized_keys=/etc/keys", "-port=8022"), 8022),
        ("given", ("-port", "8022"), 8022),
    ],
)
def test_breakglass_of_a_finished_image_is_looked_for_where_its_device_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, builder: str, args: tuple[str, ...], port: int
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    subject.console.close()
    for name, value in {"breakglass": Breakglass(), "builder": builder}.items():
        object.__setattr__(subject.image, name, value)
    service = SimpleNamespace(args=("/user/breakglass", *args))
    monkeypatch.setattr(WaysIn, "device", SimpleNamespace(service={"/user/breakglass": service}.__getitem__))
    with pytest.raises(OptionError, match=f"port {port}/tcp of the appliance is not forwarded") as caught:
        subject.connect_breakglass(key=tmp_path)
    assert f"--gk-forward {port}/tcp" in caught.value.hint
