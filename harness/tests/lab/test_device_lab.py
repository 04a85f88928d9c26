"""DeviceLab: the one device of a run, what a test may have of it, and how it is judged and left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from harness.appliance.wanted import Wanted
from harness.boards import DEVICE
from harness.boards import board as board_called
from harness.errors import (
    AuthenticationRefused,
    DeviceUnreachable,
    HostFault,
    NotOnDevice,
    OptionError,
    RebootLoop,
)
from harness.lab.device import DeviceLab
from harness.options import settings_from
from harness.tests.gokrazy.fake_device import PASSWORD, FakeDevice, FakeHandler

LabOf = Callable[..., DeviceLab]
NTP, BREAKGLASS = "/gokrazy/ntp", "/user/breakglass"


@pytest.fixture
def fake() -> Iterator[FakeDevice]:
    fake = FakeDevice()
    yield fake
    fake.close()


@pytest.fixture
def lab_of(fake: FakeDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabOf]:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    labs: list[DeviceLab] = []

    def make(*may: str, **said: object) -> DeviceLab:
        values: dict[str, object] = {
            "gk_device": fake.url,
            "gk_password_file": str(tmp_path / "password"),
            "gk_artifacts": str(tmp_path / "artifacts"),
            "gk_device_may": list(may) or None,
            "gk_time_factor": "0.2",
            "gk_cache": str(tmp_path / "cache"),
        }
        labs.append(DeviceLab(settings_from({**values, **said})))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


def wanted(lab: DeviceLab, **fields: Any) -> Wanted:
    return Wanted(lab.boards[0], "test_mine", **fields)


def test_the_board_is_what_the_device_says_of_itself(lab_of: LabOf) -> None:
    lab = lab_of()
    (board,) = lab.boards
    assert (board.name, board.arch, board.memory) == (DEVICE, "arm64", 456)
    assert lab.board(DEVICE) is board
    assert lab.board("virt") is board_called("virt")
    image = lab.target.image
    assert (image.hostname, image.build, image.kernel.release) == ("arm", "2026-11-22T00:00:00Z", "7.1.3")
    assert image.breakglass is not None
    assert image.breakglass.path == BREAKGLASS


@pytest.mark.parametrize(
    ("may", "fields", "reason"),
    [
        ((), {}, ""),
        ((), {"needs": ("http",)}, ""),
        ((), {"running": False}, "needs emulation"),
        ((), {"network": "open"}, "needs emulation"),
        ((), {"clock": "now"}, "needs emulation"),
        ((), {"needs": ("disk",)}, "needs emulation"),
        ((), {"family": "crasher"}, "the project's own crasher"),
        ((), {"machines": 2}, "needs emulation: it has a second appliance"),
        ((), {"needs": ("image",)}, "--gk-image"),
        ((), {"needs": ("console",)}, "--gk-device-serial"),
        ((), {"needs": ("breakglass",)}, "--gk-device-may shell"),
        ((), {"needs": ("slot",)}, "--gk-device-may shell"),
        (("shell",), {"needs": ("breakglass", "breakglass-shell", "slot", "perm")}, ""),
        ((), {"reboots": True}, "--gk-device-may reboot"),
        (("reboot",), {"reboots": True}, ""),
        (("reboot",), {"cold": True}, "--gk-device-may power"),
        (("reboot",), {"about_boot": True}, "--gk-device-may power"),
        (("reboot",), {"needs": ("update",)}, "--gk-device-may update"),
        (("update",), {"needs": ("update",)}, "--gk-device-may reboot"),
        (("update", "reboot"), {"needs": ("update",)}, "--gk-image"),
    ],
)
def test_what_a_test_asks_for_and_does_not_get_is_said_before(
    lab_of: LabOf, tmp_path: Path, may: tuple[str, ...], fields: dict[str, Any], reason: str
) -> None:
    lab = lab_of(*may, gk_ssh_key=str(tmp_path / "key"))
    said = lab.skip_reason(wanted(lab, **fields))
    assert (reason in said) if reason else said == ""


def test_two_runs_have_the_device_one_after_the_other(lab_of: LabOf) -> None:
    first, second = lab_of(), lab_of()
    said, order = Event(), list[str]()

    def say(line: str) -> None:
        assert "another run has the device" in line
        order.append("the second waits")
        said.set()

    def take() -> None:
        second.boards  # noqa: B018  it takes it
        order.append("the second has it")

    second.journal.say = say
    first.boards  # noqa: B018  it takes it
    assert lab_of(gk_list=True).boards == first.boards
    waits = Thread(target=take)
    waits.start()
    assert said.wait(30)
    order.append("the first lets go")
    first.close()
    waits.join(30)
    assert order == ["the second waits", "the first lets go", "the second has it"]


def test_a_password_that_is_missing_or_wrong_is_said_at_once(lab_of: LabOf, tmp_path: Path) -> None:
    without = lab_of(gk_password_file=None)
    for _ in range(2):
        with pytest.raises(OptionError, match="password is not known") as caught:
            without.boards  # noqa: B018  it raises
    without.close()
    assert "--gk-password-file" in caught.value.hint
    (tmp_path / "other").write_text("wrong")
    with pytest.raises(AuthenticationRefused):
        lab_of(gk_password_file=str(tmp_path / "other")).boards  # noqa: B018  it raises


def test_an_image_that_the_device_does_not_run_is_refused(lab_of: LabOf, small_image: Path) -> None:
    with pytest.raises(OptionError, match=r"runs the build 2026-11-22T00:00:00Z of arm, and the image is"):
        lab_of(gk_image=str(small_image)).boards  # noqa: B018  it raises


def test_a_device_that_does_not_name_its_architecture_wants_an_image(lab_of: LabOf, fake: FakeDevice) -> None:
    fake.status["Kernel"] = "Linux 4.19 (armv7l)"
    with pytest.raises(OptionError, match="does not say what it is built for") as caught:
        lab_of().boards  # noqa: B018  it raises
    assert "--gk-image" in caught.value.hint


def test_breakglass_that_runs_already_is_left_alone(
    lab_of: LabOf, fake: FakeDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.lab.device.SETTLES", 0.3)
    service(fake, BREAKGLASS)["Stopped"] = False
    lab = lab_of("shell", gk_ssh_key=str(tmp_path / "key"))
    assert "somebody may be at work there" in lab.skip_reason(wanted(lab, needs=("breakglass",)))
    with lab.appliance(wanted(lab)) as appliance, pytest.raises(NotOnDevice, match="somebody may be at work"):
        appliance.start_breakglass()
    assert fake.posts() == []


def test_what_is_not_allowed_is_not_sent_and_the_device_is_left_running(lab_of: LabOf, fake: FakeDevice) -> None:
    lab = lab_of("services")
    with lab.appliance(wanted(lab)) as appliance:
        for act in (
            appliance.reboot,
            appliance.power_off,
            appliance.cut_power,
            appliance.cold_boot,
            lambda: appliance.update(appliance.image),
            lambda: appliance.flip(appliance.image),
            lambda: appliance.update_boot_only(appliance.image),
            lambda: appliance.send_root(appliance.image),
            lambda: appliance.shell,
            appliance.connect_breakglass,
            lambda: appliance.checkpoint("here"),
            lambda: appliance.rewind("here"),
            appliance.read_boot_files,
        ):
            with pytest.raises(NotOnDevice):
                act()
        appliance.power.check_unseen()
        appliance.console.check_unseen()
    assert {method for method, _, _ in fake.requests} == {"GET"}
    assert lab.live("test_mine") is appliance


def test_the_boots_of_the_device_are_written_down(lab_of: LabOf) -> None:
    lab = lab_of()
    with lab.appliance(wanted(lab)) as appliance:
        appliance._ready.append(("cold", {"ready": 3.0}))
    assert lab.journal.take()["boots"] == [(DEVICE, "cold", {"ready": 3.0})]


def test_services_are_left_as_they_were_found(lab_of: LabOf, fake: FakeDevice) -> None:
    lab = lab_of("services")
    with lab.appliance(wanted(lab)) as appliance:
        appliance.stop("ntp")
        appliance.start("heartbeat")
        appliance.restart("dhcp")
    assert {one["Path"]: one["Stopped"] for one in fake.status["Services"]} == {
        one.path: one.stopped for one in lab.target.found.values()
    }
    assert not service(fake, "/gokrazy/dhcp")["Stopped"]


def logged(fake: FakeDevice, path: str, *falls: str) -> None:
    """The log of a service that fell so each time, and runs."""
    log = fake.log(path)
    for number, end in enumerate((*falls, "")):
        log.put(("stderr", f"2026/11/22 01:37:5{number} gokrazy: attempt {number}, starting [{path}]"))
        if end:
            log.put(("stderr", f"2026/11/22 01:37:5{number} gokrazy: {end}"))


def test_a_service_is_not_judged_by_what_was_before_the_run(lab_of: LabOf, fake: FakeDevice) -> None:
    logged(fake, NTP, "exit status 1", "signal: terminated")
    lab = lab_of()
    with lab.appliance(wanted(lab)) as appliance:
        assert appliance.trouble_with("ntp") == ""


def test_a_service_that_falls_in_the_run_is_trouble(lab_of: LabOf, fake: FakeDevice) -> None:
    logged(fake, NTP, "exit status 1")
    lab = lab_of()
    with lab.appliance(wanted(lab)) as appliance:
        service(fake, NTP)["Pid"] += 1
        assert "it was started 2 times" in appliance.trouble_with("ntp")


def test_what_a_test_restarted_itself_is_no_trouble(lab_of: LabOf, fake: FakeDevice) -> None:
    lab = lab_of("services")
    with lab.appliance(wanted(lab)) as appliance:
        appliance.restart("ntp")
        logged(fake, NTP, "signal: terminated")
        assert appliance.trouble_with("ntp") == ""


def start_again(fake: FakeDevice) -> None:
    for one in fake.status["Services"]:
        one["StartTime"] = "1970-01-01T00:00:05.5Z"


def test_a_restart_that_nobody_asked_for_is_seen_without_a_console(lab_of: LabOf, fake: FakeDevice) -> None:
    lab = lab_of()
    with lab.appliance(wanted(lab)) as appliance:
        start_again(fake)
        with pytest.raises(RebootLoop, match="nothing had asked for it") as caught:
            appliance.power.check_unseen()
        assert "--gk-device-serial" in caught.value.hint


def test_services_that_a_test_restarted_make_no_restart_of_the_device(lab_of: LabOf, fake: FakeDevice) -> None:
    fake.status["Services"] = [one for one in fake.status["Services"] if one["Path"] in (NTP, "/gokrazy/dhcp")]
    lab = lab_of("services")
    with lab.appliance(wanted(lab)) as appliance:
        for name in ("ntp", "dhcp"):
            appliance.restart(name)
        start_again(fake)
        appliance.power.check_unseen()


def test_one_service_that_fell_makes_no_restart_of_the_device(lab_of: LabOf, fake: FakeDevice) -> None:
    fake.status["Services"] = [service(fake, NTP)]
    lab = lab_of()
    with lab.appliance(wanted(lab)) as appliance:
        start_again(fake)
        appliance.power.check_unseen()


def test_a_restart_that_was_asked_for_is_none(lab_of: LabOf, fake: FakeDevice) -> None:
    lab = lab_of("reboot")

    def reboot(handler: FakeHandler) -> None:
        start_again(fake)
        handler.reply(200, "Rebooting...\n")

    fake.power_answer = reboot
    with lab.appliance(wanted(lab)) as appliance:
        appliance.reboot()
        appliance.power.check_unseen()


def test_a_device_that_was_not_switched_on_again_is_not_blamed(
    lab_of: LabOf, fake: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.appliance.real.SYNCED", 0.1)

    def power_off(handler: FakeHandler) -> None:
        handler.reply(200, "Powering off...\n")
        fake.drop = 99

    fake.power_answer = power_off
    lab = lab_of("power", gk_device_power="false")
    for what in ("off", "on"):
        # In the first test it goes off, and its switch fails; in the second one the switch still does.
        with pytest.raises(HostFault, match=f"not switched {what}"), lab.appliance(wanted(lab, cold=True)):
            pass


def test_a_device_that_is_silent_at_the_end_is_red(lab_of: LabOf, fake: FakeDevice) -> None:
    lab = lab_of()
    with lab.appliance(wanted(lab)) as appliance:
        fake.drop = 99
        with pytest.raises(DeviceUnreachable):
            appliance.power.check_unseen()


def test_a_device_that_does_not_come_is_waited_for_once(lab_of: LabOf, fake: FakeDevice) -> None:
    lab = lab_of(gk_time_factor="0.005")
    lab.boards  # noqa: B018  it looks
    fake.server.shutdown()
    fake.server.server_close()
    errors = []
    for _ in range(2):
        with pytest.raises(Exception, match="waited") as caught, lab.appliance(wanted(lab)):
            pass
        errors.append(str(caught.value))
    assert "its first start in this run failed so" not in errors[0]
    assert "its first start in this run failed so" in errors[1]


def test_one_that_runs_another_build_by_now_is_not_judged_by_the_first(lab_of: LabOf, fake: FakeDevice) -> None:
    lab = lab_of()
    lab.boards  # noqa: B018  it looks
    fake.status["BuildTimestamp"] = "2026-12-24T00:00:00Z"
    with pytest.raises(NotOnDevice, match="runs the build 2026-12-24"), lab.appliance(wanted(lab)):
        pass


def test_without_something_to_update_to_there_is_no_next_image(lab_of: LabOf) -> None:
    lab = lab_of()
    with pytest.raises(NotOnDevice, match="--gk-next-image"):
        lab.next_image(lab.boards[0], "hello")


def service(fake: FakeDevice, path: str) -> dict[str, Any]:
    found = fake.service(path)
    assert found is not None
    return found
