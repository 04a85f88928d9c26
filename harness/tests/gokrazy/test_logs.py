from __future__ import annotations

import threading
import time

import pytest

from harness.errors import AuthenticationRefused, DeviceUnreachable, KernelPanic, ServiceMissing, WaitTimeout
from harness.gokrazy.client import Device
from harness.gokrazy.logs import LogStream, Stream
from harness.tests.gokrazy.fake_device import PASSWORD, FakeDevice

NTP = "/gokrazy/ntp"


def test_lines_of_both_streams(fake: FakeDevice, device: Device) -> None:
    fake.log(NTP).put(("stdout", "one"))
    fake.log(NTP).put(("stderr", " two: with a blank and a \rreturn"))
    with device.log("ntp") as log:
        assert log.wait_for("two", 5)
        assert [(one.stream, one.text) for one in log.lines] == [
            ("stdout", "one"),
            ("stderr", " two: with a blank and a \rreturn"),
        ]


def test_one_stream_only(fake: FakeDevice, device: Device) -> None:
    fake.log(NTP).put(("stdout", "one"))
    fake.log(NTP).put(("stderr", "two"))
    with device.log("ntp", "stderr") as log:
        log.wait_for("two", 5)
        assert [(one.stream, one.text) for one in log.lines] == [("stderr", "two")]


def test_headers_that_come_late(fake: FakeDevice, device: Device) -> None:
    with device.log("ntp") as log:
        with pytest.raises(WaitTimeout, match="'word' in the log of /gokrazy/ntp") as caught:
            log.wait_for("word", 0.2)
        assert "empty" in caught.value.evidence
        threading.Timer(0.2, lambda: fake.log(NTP).put(("stdout", "a word at last"))).start()
        assert log.wait_for(r"a (\w+)", 5).group(1) == "word"


def test_each_wait_goes_on_where_the_last_one_stopped(fake: FakeDevice, device: Device) -> None:
    for number in range(3):
        fake.log(NTP).put(("stderr", f"attempt {number}, starting"))
    with device.log("ntp") as log:
        found = [log.wait_for(r"attempt (\d)", 5).group(1) for _ in range(3)]
        assert found == ["0", "1", "2"]
        with pytest.raises(WaitTimeout) as caught:
            log.wait_for("attempt", 0.1)
        assert "attempt 2" in caught.value.evidence


@pytest.mark.parametrize(
    ("stream", "pattern", "out_of_order"),
    [("both", "started", True), ("both", "synced", False), ("stderr", "waiting", False)],
)
def test_a_wait_for_what_an_earlier_wait_passed_says_that_both_streams_have_no_order(
    fake: FakeDevice, device: Device, stream: Stream, pattern: str, out_of_order: bool
) -> None:
    for kind, text in (("stdout", "clock: started"), ("stderr", "gokrazy: waiting for clock")):
        fake.log(NTP).put((kind, text))
    with device.log("ntp", stream) as log:
        log.wait_for("waiting", 5)
        with pytest.raises(WaitTimeout) as caught:
            log.wait_for(pattern, 0.1)
    assert ("open a stream of each" in caught.value.hint) is out_of_order


def test_closing_a_silent_stream_is_quick_and_leaves_no_thread(device: Device) -> None:
    log = device.log("ntp")
    start = time.monotonic()
    log.close()
    assert time.monotonic() - start < 2
    assert not any(one.name == f"log of {NTP}" for one in threading.enumerate())
    with pytest.raises(DeviceUnreachable, match="closed here"):
        log.wait_for("x", 5)


def test_the_device_ends_the_stream(fake: FakeDevice, device: Device) -> None:
    fake.log(NTP).put(("stdout", "last words"))
    fake.log(NTP).put(None)
    with device.log("ntp") as log:
        log.wait_for("last", 5)
        with pytest.raises(DeviceUnreachable, match="ended the log stream"):
            log.wait_for("more", 5)
        assert log.ended is not None


def test_a_crash_wins(fake: FakeDevice) -> None:
    dead = threading.Event()

    def check() -> None:
        if dead.is_set():
            raise KernelPanic("it is dead")

    device = Device(fake.url, password=PASSWORD, check=check)
    with device.log("ntp") as log:
        dead.set()
        fake.log(NTP).put(None)
        with pytest.raises(KernelPanic):
            log.wait_for("x", 5)


def test_no_such_service(fake: FakeDevice, device: Device) -> None:
    with pytest.raises(ServiceMissing):
        device.log("hello")
    fake.status["Services"] = fake.status["Services"][:1]
    with LogStream(device.endpoint, NTP) as log, pytest.raises(Exception, match="404"):
        log.wait_for("x", 5)


def test_a_refused_password(fake: FakeDevice) -> None:
    stranger = Device(fake.url, password="wrong")
    with LogStream(stranger.endpoint, NTP) as log, pytest.raises(AuthenticationRefused):
        log.wait_for("x", 5)


def test_nobody_listens() -> None:
    with pytest.raises(DeviceUnreachable):
        LogStream(Device("http://127.0.0.1:1", password="x").endpoint, NTP)


def test_recent_log(fake: FakeDevice, device: Device) -> None:
    assert device.recent_log("dhcp", first=0.1) == []
    for number in (3, 4):
        fake.log(NTP).put(("stderr", f"attempt {number}"))
    assert [line.text for line in device.recent_log("ntp", "stderr")] == ["attempt 3", "attempt 4"]


def test_a_slow_first_line_is_waited_for(fake: FakeDevice, device: Device) -> None:
    threading.Timer(0.8, lambda: fake.log(NTP).put(("stdout", "late"))).start()
    assert [one.text for one in device.recent_log("ntp", quiet=0.1)] == ["late"]


def test_a_log_that_ends_is_no_empty_log(fake: FakeDevice, device: Device) -> None:
    fake.log(NTP).put(None)
    with pytest.raises(DeviceUnreachable):
        device.recent_log("ntp")


def test_follow(fake: FakeDevice, device: Device) -> None:
    for number in range(5):
        fake.log(NTP).put(("stdout", str(number)))
    with device.log("ntp") as log:
        assert [one.text for one in log.follow(0.3)] == ["0", "1", "2", "3", "4"]


def test_old_lines_are_given_up(fake: FakeDevice, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.gokrazy.logs.MAX_LINES", 10)
    for number in range(25):
        fake.log(NTP).put(("stdout", f"line {number}"))
    with device.log("ntp") as log:
        log.wait_for("line 24", 5)
        assert len(log.lines) == 10
        assert log.dropped == 15


@pytest.mark.parametrize(
    "given", ['"--auth-key=tskey-auth-1"', "--authkey=tskey-auth-1", "TS_AUTHKEY=tskey-auth-1"]
)
def test_an_auth_key_is_in_no_line(given: str, fake: FakeDevice, device: Device) -> None:
    fake.log(NTP).put(("stderr", f'gokrazy: attempt 1, starting ["/user/tailscale" "up" {given}]'))
    with device.log("ntp") as log:
        said = log.wait_for(r"starting .*", 5).group()
    assert "tskey-auth-1" not in said
    assert "=***" in said
