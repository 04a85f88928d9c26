"""Whoever listens gets to know of each request, each front page, all that is done over SSH, and of no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import AuthenticationRefused, CommandFailed, DeviceUnreachable
from harness.gokrazy.breakglass import Breakglass, Talk
from harness.gokrazy.client import Device, WebNews
from harness.gokrazy.keys import KeyPair
from harness.gokrazy.status import Status
from harness.gokrazy.transport import Answer, Exchange, NoAnswer
from harness.tests.gokrazy.fake_device import PASSWORD, FakeDevice
from harness.tests.gokrazy.fake_ssh import FakeBreakglass


def test_each_request_and_each_front_page_is_reported(fake: FakeDevice) -> None:
    heard: list[WebNews] = []
    device = Device(fake.url, password=PASSWORD, https_url="https://127.0.0.1:1")
    device.report_to(heard.append)
    assert device.status().hostname == "arm"
    device.stop("ntp")
    device.over_tls()
    with pytest.raises(DeviceUnreachable):
        device.features()
    pages = [one for one in heard if isinstance(one, Status)]
    assert [page.hostname for page in pages] == ["arm", "arm"], "it is looked up before it is stopped"
    requests = [one for one in heard if isinstance(one, Exchange)]
    assert [(one.method, one.path) for one in requests] == [
        ("GET", "/"),
        ("GET", "/"),
        ("GET", "/status?path=%2Fgokrazy%2Fntp"),
        ("POST", "/stop"),
        ("GET", "/status?path=%2Fgokrazy%2Fntp"),
        *[("GET", "/update/features")] * (len(requests) - 5),
    ]
    assert [one.answer.status for one in requests[:5] if isinstance(one.answer, Answer)] == [
        200,
        200,
        200,
        303,
        200,
    ]
    assert isinstance(requests[-1].answer, NoAnswer)
    assert all(one.began <= one.ended for one in requests)
    assert PASSWORD not in "".join(one.path for one in requests)


def test_what_is_done_over_ssh_is_reported_with_how_it_ended(
    server: FakeBreakglass, key: KeyPair, tmp_path: Path
) -> None:
    heard: list[Talk] = []
    with Breakglass("127.0.0.1", server.port, key.private) as breakglass:
        breakglass.listener = heard.append
        breakglass.run("echo hello")
        with pytest.raises(CommandFailed):
            breakglass.run("exit 3")
        breakglass.put_bytes(b"x", "file")
        with pytest.raises(AuthenticationRefused):
            breakglass.try_password("hunter2")
    assert [(one.what, one.outcome, one.well) for one in heard[:4]] == [
        ("connect", "done", True),
        ("run echo hello", "status 0", True),
        ("run exit 3", "status 3", True),
        ("take file", "done", True),
    ]
    assert (heard[4].what, heard[4].well) == ("connect with a password", False)
    assert "refused" in heard[4].outcome
    assert "hunter2" not in str(heard)
