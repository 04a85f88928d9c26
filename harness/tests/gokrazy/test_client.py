from __future__ import annotations

import datetime
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.errors import (
    AuthenticationRefused,
    DeviceUnreachable,
    HarnessError,
    KernelPanic,
    OptionError,
    RequestRefused,
    ServiceMissing,
    WaitTimeout,
)
from harness.gokrazy.client import Device
from harness.gokrazy.probe import Reach
from harness.tests.gokrazy.fake_device import PASSWORD, FakeDevice, FakeHandler


def test_status_with_a_password_beyond_ascii(device: Device) -> None:
    assert device.status().hostname == "arm"
    assert device.probe().reach is Reach.READY


def test_a_wrong_password_names_the_user_and_never_the_password(fake: FakeDevice) -> None:
    device = Device(fake.url, password="not-the-one")
    with pytest.raises(AuthenticationRefused) as caught:
        device.status()
    said = str(caught.value) + repr(device) + repr(device.endpoint) + repr(device.endpoint._session.auth)
    assert "'gokrazy'" in said
    assert "not-the-one" not in said
    assert device.probe().reach is Reach.UNAUTHORISED


def test_no_password_is_told_apart(fake: FakeDevice) -> None:
    with pytest.raises(AuthenticationRefused, match="none was given"):
        Device(fake.url, password=None).status()


def test_password_within_the_address_is_taken_out(fake: FakeDevice) -> None:
    device = Device(f"http://gokrazy:geheim-%C3%A4@127.0.0.1:{fake.port}/", password=None)
    assert device.url == fake.url
    assert device.status().hostname == "arm"


@pytest.mark.parametrize("url", ["127.0.0.1:80", "ftp://x", "http://"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(OptionError):
        Device(url, password="x")


def test_environment_proxies_have_no_say(fake: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert Device(fake.url, password=PASSWORD).status().hostname == "arm"


def test_another_page_that_is_missing(device: Device) -> None:
    with pytest.raises(RequestRefused, match="/nope answered 404") as caught:
        device.get("/nope")
    assert caught.value.status == 404
    assert caught.value.evidence == "not found"


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        device = Device(f"http://127.0.0.1:{free.getsockname()[1]}", password="x")
        assert device.probe().reach is Reach.REFUSED
        with pytest.raises(DeviceUnreachable, match="refused"):
            device.status()


def test_accepted_then_dropped_is_not_yet(fake: FakeDevice, device: Device) -> None:
    fake.drop = 1
    assert device.probe().reach is Reach.RESET
    fake.drop = 3
    assert device.wait_until_ready(5).hostname == "arm"
    assert fake.drop == 0


def test_accepted_then_closed_politely_is_not_yet() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            connection.recv(10000)
            connection.close()

        thread = threading.Thread(target=greet)
        thread.start()
        device = Device(f"http://127.0.0.1:{server.getsockname()[1]}", password="x")
        assert device.probe().reach is Reach.RESET
        thread.join()


def test_something_else_than_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            connection.recv(10000)
            connection.sendall(b"SSH-2.0-Go\r\n")
            connection.close()

        thread = threading.Thread(target=greet)
        thread.start()
        device = Device(f"http://127.0.0.1:{server.getsockname()[1]}", password="x")
        assert device.probe().reach is Reach.UNUSABLE
        thread.join()


def test_silence_has_a_limit(fake: FakeDevice, device: Device) -> None:
    fake.hang = True
    start = time.monotonic()
    assert device.probe(timeout=0.2).reach is Reach.SILENT
    with pytest.raises(WaitTimeout, match=r"device to answer over HTTP .*no answer in time"):
        device.wait_until_ready(0.3)
    assert time.monotonic() - start < 3


def test_each_answer_has_a_limit_that_its_owner_chooses(fake: FakeDevice) -> None:
    fake.hang = True
    device = Device(fake.url, password=PASSWORD, patience=0.1)
    with pytest.raises(DeviceUnreachable, match=r"GET /: no answer in time") as caught:
        device.status()
    assert caught.value.overdue


def test_one_stale_connection_is_forgiven(fake: FakeDevice, device: Device) -> None:
    device.status()
    fake.drop = 1
    assert device.status().hostname == "arm"
    fake.drop = 2
    with pytest.raises(DeviceUnreachable, match="dropped"):
        device.status()


def test_connections_can_be_forgotten(device: Device) -> None:
    device.status()
    device.forget_connections()
    assert device.status().hostname == "arm"


def test_a_crash_wins_over_a_lost_connection(fake: FakeDevice) -> None:
    def crashed() -> None:
        raise KernelPanic("it is dead")

    device = Device(fake.url, password=PASSWORD, check=crashed)
    fake.drop = 2
    with pytest.raises(KernelPanic):
        device.status()
    with pytest.raises(KernelPanic):
        device.wait_for_build("another", 30)


# services


def test_stop_start_restart(fake: FakeDevice, device: Device) -> None:
    assert device.stop("ntp").stopped
    assert device.stop("ntp", signal="kill").stopped
    assert not device.start("/gokrazy/ntp").stopped
    assert not device.restart("ntp", supervise="once").stopped
    stop, kill, start, restart = fake.posts()
    assert stop[0] == kill[0] == "/stop"
    assert "signal" not in stop[1]
    assert kill[1]["signal"] == ["kill"]
    assert start[0] == restart[0] == "/restart"
    assert start[1] == {"path": ["/gokrazy/ntp"], "xsrftoken": ["4711"]}
    assert restart[1]["supervise"] == ["once"]


def test_start_leaves_a_running_service_alone(fake: FakeDevice, device: Device) -> None:
    device.start("ntp")
    assert fake.posts() == []


def test_control_works_while_the_device_lives_in_1970(fake: FakeDevice, device: Device) -> None:
    fake.cookie_expires = "Fri, 02 Jan 1970 00:00:12 GMT"
    assert device.stop("ntp").stopped


def test_a_missing_service_is_not_asked_for(fake: FakeDevice, device: Device) -> None:
    with pytest.raises(ServiceMissing, match="/user/breakglass"):
        device.stop("hello")
    assert fake.posts() == []


def test_values_that_make_no_sense(device: Device) -> None:
    with pytest.raises(OptionError, match="signal 'hup'"):
        device.stop("ntp", signal="hup")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="never"):
        device.restart("ntp", supervise="never")  # type: ignore[arg-type]


# waits


def later(seconds: float, act: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer


def test_wait_for_a_service(fake: FakeDevice, device: Device) -> None:
    service = fake.service("/gokrazy/ntp")
    assert service is not None
    later(0.2, lambda: service.update(Pid=999))
    assert device.wait_for_service("ntp", lambda it: it.pid == 999, 5).pid == 999
    with pytest.raises(WaitTimeout, match=r"service ntp to have stopped .*last seen: /gokrazy/ntp: started"):
        device.wait_for_service("ntp", lambda it: it.stopped, 0.2, what="to have stopped")
    with pytest.raises(ServiceMissing):
        device.wait_for_service("hello", lambda it: it.stopped, 30)


def test_wait_for_a_build(fake: FakeDevice, device: Device) -> None:
    later(0.2, lambda: fake.status.update(BuildTimestamp="2027-01-01T00:00:00Z"))
    assert device.wait_for_build("2027-01-01T00:00:00Z", 5).build_timestamp == "2027-01-01T00:00:00Z"
    with pytest.raises(WaitTimeout, match="last seen: still build 2027-01-01T00:00:00Z"):
        device.wait_for_build("2028-01-01T00:00:00Z", 0.2)


def test_wait_until_services_are_supervised(fake: FakeDevice, device: Device) -> None:
    services, fake.status["Services"] = fake.status["Services"], None
    later(0.2, lambda: fake.status.update(Services=services))
    assert device.wait_until_ready(5).supervising


def test_a_refused_password_ends_a_wait_at_once(fake: FakeDevice) -> None:
    with pytest.raises(AuthenticationRefused):
        Device(fake.url, password="wrong").wait_until_ready(60)


def test_a_restart_shows_in_every_start_time(fake: FakeDevice, device: Device) -> None:
    before = device.status()
    with pytest.raises(WaitTimeout, match="was not restarted"):
        device.wait_for_reboot(before, 0.2)
    services = fake.status["Services"]
    services[0]["StartTime"] = "1970-01-01T00:00:10Z"
    with pytest.raises(WaitTimeout, match="was not restarted"):  # one service restarted is no reboot
        device.wait_for_reboot(before, 0.2)
    for service in services:
        service["StartTime"] = "1970-01-01T00:00:10Z"
    services[1]["StartTime"] = "0001-01-01T00:00:00Z"  # not started again yet
    assert device.wait_for_reboot(before, 5)


# power


def test_reboot_says_what_was_asked_for(fake: FakeDevice, device: Device) -> None:
    assert "Rebooting" in device.reboot()
    device.reboot(kexec=False, wait_per_signal=2.5)
    device.power_off()
    assert fake.posts() == [
        ("/reboot", {}),
        ("/reboot", {"kexec": ["off"], "wait_per_signal": ["2.5s"]}),
        ("/poweroff", {}),
    ]


def test_a_device_that_goes_down_before_it_has_answered_was_heard(fake: FakeDevice, device: Device) -> None:
    fake.power_answer = FakeHandler.cut
    assert device.reboot() == ""


def test_a_late_answer_is_waited_for(fake: FakeDevice, device: Device) -> None:
    def late(handler: FakeHandler) -> None:
        threading.Event().wait(0.5)
        handler.reply(200, "Rebooting...\n")

    fake.power_answer = late
    assert device.reboot(wait_per_signal=0) == "Rebooting..."


def test_a_way_that_ends_with_a_service_needs_no_answer(fake: FakeDevice, device: Device) -> None:
    over = threading.Event()
    device.begin_reboot()
    # An older gokrazy does not know async, and its tailnet ends before it answers.
    fake.power_answer = lambda handler: handler.cut() if over.wait(10) else None
    device.begin_reboot(patience=0.1)
    over.set()
    fake.power_answer = FakeHandler.cut
    device.begin_reboot()
    assert fake.posts() == [("/reboot", {"async": ["true"]})] * 3


def test_a_way_that_ends_with_a_service_does_not_hide_a_refusal(fake: FakeDevice, device: Device) -> None:
    fake.power_answer = lambda handler: handler.reply(400, "no")
    with pytest.raises(RequestRefused):
        device.begin_reboot()
    with pytest.raises(DeviceUnreachable):
        Device("http://127.0.0.1:1", password="x").begin_reboot()


def test_a_refused_reboot(fake: FakeDevice, device: Device) -> None:
    fake.power_answer = lambda handler: handler.reply(400, "time: invalid duration")
    with pytest.raises(RequestRefused) as caught:
        device.reboot()
    assert "invalid duration" in caught.value.evidence


def test_nobody_to_reboot() -> None:
    with pytest.raises(DeviceUnreachable):
        Device("http://127.0.0.1:1", password="x").reboot()


# TLS


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """As gokrazy makes it: self-signed, for the device's host name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "arm")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("arm")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return cert, private


def test_tls(fake: FakeDevice, certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    secure = FakeDevice(tls=context)
    try:
        assert Device(secure.url, password=PASSWORD, verify=certificate[0]).status().hostname == "arm"
        assert Device(secure.url, password=PASSWORD, verify=False).status().hostname == "arm"
        stranger = Device(secure.url, password=PASSWORD)
        with pytest.raises(DeviceUnreachable, match="certificate not trusted"):
            stranger.status()
        with pytest.raises(DeviceUnreachable, match="certificate not trusted"):
            stranger.wait_until_ready(30)

        secure.log("/gokrazy/ntp").put(("stdout", "over TLS"))
        with Device(secure.url, password=PASSWORD, verify=certificate[0]).log("ntp") as log:
            log.wait_for("over TLS", 5)

        fake.redirect_to = "https://127.0.0.1/"
        with pytest.raises(RequestRefused, match=r"redirected to https://127\.0\.0\.1/.*TLS only"):
            Device(fake.url, password=PASSWORD).status()
        with pytest.raises(RequestRefused, match="TLS only"):
            Device(fake.url, password=PASSWORD).wait_until_ready(30)
        both = Device(fake.url, password=PASSWORD, verify=certificate[0], https_url=secure.url)
        assert both.wait_until_ready(5).hostname == "arm"
        assert both.url == secure.url
    finally:
        secure.close()


def test_a_certificate_file_of_no_use(tmp_path: Path) -> None:
    junk = tmp_path / "cert.pem"
    junk.write_text("junk")
    for path in (junk, tmp_path / "none.pem"):
        with pytest.raises(OptionError, match="certificate"):
            Device("https://127.0.0.1", password="x", verify=path).status()


def test_every_error_is_of_the_tree(fake: FakeDevice, device: Device) -> None:
    fake.status = {"BuildTimestamp": 3}
    with pytest.raises(HarnessError):
        device.status()
    assert device.probe().reach is Reach.UNUSABLE
