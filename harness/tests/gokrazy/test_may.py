"""May: what changes a device is refused before it is sent, unless its kind is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import NotOnDevice, OptionError
from harness.gokrazy.client import Device
from harness.gokrazy.may import KINDS, May, kinds, table
from harness.gokrazy.update import Updater
from harness.tests.gokrazy.fake_device import STATUS, FakeDevice

PAGE = Path(__file__).parents[3] / "docs/devices.md"
SERVICE = str(STATUS["Services"][0]["Path"])


@pytest.mark.parametrize(
    ("method", "path", "form", "kind"),
    [
        ("POST", "/restart", {"path": "/user/hello"}, "services"),
        ("POST", "/stop", {"path": "/user/hello"}, "services"),
        ("POST", "/restart", {"path": "/user/breakglass"}, "shell"),
        ("POST", "/stop", {"path": "/user/breakglass"}, "shell"),
        ("PUT", "/uploadtemp/mine", b"", "shell"),
        ("POST", "/divert", None, "shell"),
        ("POST", "/reboot", {}, "reboot"),
        ("POST", "/poweroff", {}, "power"),
        ("PUT", "/update/root", b"", "update"),
        ("POST", "/update/switch", None, "update"),
        ("POST", "/update/testboot", None, "update"),
    ],
)
def test_each_request_that_changes_something_is_of_a_kind(method: str, path: str, form: object, kind: str) -> None:
    others = frozenset(one.name for one in KINDS if one.name != kind)
    with pytest.raises(NotOnDevice, match=f"--gk-device-may {kind} allows it"):
        May(others).request(method, path, form)
    May(frozenset({kind})).request(method, path, form)


def test_to_look_is_always_allowed_and_what_nobody_knows_never() -> None:
    May().request("GET", "/status", None)
    for method, path in (("POST", "/"), ("DELETE", "/status"), ("POST", "/user/hello")):
        with pytest.raises(NotOnDevice, match=f"nobody knows what {method} {path} does"):
            May(frozenset(one.name for one in KINDS)).request(method, path, None)


def test_it_keeps_which_services_were_touched_and_whether_a_restart_was_asked_for() -> None:
    may = May(frozenset({"services", "reboot"}))
    may.request("POST", "/stop", {"path": "/user/a"})
    assert (may.touched, may.restarted) == ({"/user/a"}, False)
    with pytest.raises(NotOnDevice):
        may.request("POST", "/restart", {"path": "/user/breakglass"})
    may.request("POST", "/reboot", {})
    assert (may.touched, may.restarted) == ({"/user/a"}, True)


def test_a_guarded_device_gets_nothing_but_questions(device: Device, fake: FakeDevice) -> None:
    device.guard_by(May().request)
    updater = Updater(device)
    for act in (
        lambda: device.restart(SERVICE),
        lambda: device.stop(SERVICE),
        device.reboot,
        device.power_off,
        updater.switch,
    ):
        with pytest.raises(NotOnDevice):
            act()
    assert {method for method, _, _ in fake.requests} <= {"GET"}
    device.guard_by(May(frozenset({"services"})).request)
    device.restart(SERVICE)
    assert [path for path, _ in fake.posts()] == ["/restart"]


def test_an_unknown_kind_is_refused_with_those_that_exist() -> None:
    assert kinds(("reboot", "update")) == {"reboot", "update"}
    with pytest.raises(OptionError, match="'fly' is nothing that a run may do") as caught:
        kinds(("fly",))
    assert "services, shell, reboot, update, power" in caught.value.hint


@pytest.mark.skipif(not PAGE.is_file(), reason="not a clone: there is no page to compare with")
def test_the_page_has_the_table() -> None:
    """Print it: python -c "from harness.gokrazy.may import table; print(table())"."""
    assert table() in PAGE.read_text("utf-8")
