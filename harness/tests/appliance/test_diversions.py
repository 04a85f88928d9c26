"""A program of this host in place of a service, on a device that is played."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.appliance.diversions import Diversions
from harness.appliance.time_line import TimeLine
from harness.boards import Budget
from harness.errors import ApplianceFault, OptionError, RequestRefused, ServiceMissing, WaitTimeout
from harness.gokrazy.client import Device
from harness.image.model import Image
from harness.tests.gokrazy.fake_device import PASSWORD, FakeDevice

ELF = {"amd64": 62, "arm64": 183, "arm": 40, "riscv64": 243}


class Played(Diversions):
    """A device that answers as gokrazy does, and no machine."""

    def __init__(self, device: Device) -> None:
        self._own_flags = {}
        self._started_here = set()
        self._played = device
        self.budget = Budget(service=0.5, upload=5)
        self.time_line = TimeLine()
        self.running = cast(Image, SimpleNamespace(arch="arm64"))

    @property
    def device(self) -> Device:
        return self._played

    def check(self) -> None:
        pass

    def _last_words(self, name: str) -> str:
        return f"the last words of {name}"


@pytest.fixture
def fake() -> Iterator[FakeDevice]:
    fake = FakeDevice()
    fake.status["Services"][4]["Diverted"] = ""
    yield fake
    fake.close()


@pytest.fixture
def subject(fake: FakeDevice) -> Iterator[Played]:
    with Device(fake.url, password=PASSWORD) as device:
        yield Played(device)


def program(folder: Path, arch: str = "arm64", name: str = "visitor") -> Path:
    path = folder / name
    path.write_bytes(b"\x7fELF\x02\x01\x01".ljust(18, b"\0") + struct.pack("<H", ELF[arch]) + bytes(100))
    return path


def test_it_is_sent_and_gets_the_flags_of_the_service_then_those_that_are_given(
    fake: FakeDevice, subject: Played, tmp_path: Path
) -> None:
    made = program(tmp_path)
    runs = subject.run_instead("breakglass", made, "-x")
    assert fake.received["/uploadtemp/gokharness-run/visitor"] == made.read_bytes()
    assert runs.diverted == "/tmp/gokharness-run/visitor"
    assert runs.args[1:] == ("-authorized_keys=/etc/breakglass.authorized_keys", "-x")
    # The next one does not inherit what was given to this one.
    again = subject.run_instead("breakglass", str(made), "-y")
    assert again.args[1:] == ("-authorized_keys=/etc/breakglass.authorized_keys", "-y")
    assert again.pid != runs.pid


def test_a_path_of_no_service_becomes_one_and_a_name_of_none_is_refused(
    fake: FakeDevice, subject: Played, tmp_path: Path
) -> None:
    assert subject.run_instead("/user/new", program(tmp_path), "-x").args == ("/user/new", "-x")
    with pytest.raises(ServiceMissing):
        subject.run_instead("brakeglass", program(tmp_path))
    assert [path for path, _ in fake.posts()] == ["/divert"]


def test_what_left_with_0_when_it_was_signalled_is_started(
    fake: FakeDevice, subject: Played, tmp_path: Path
) -> None:
    """gokrazy then takes the service for done, and runs nothing in its place."""
    fake.starts_diverted = False
    service = fake.status["Services"][4]
    service |= {"Stopped": True, "Diverted": "/tmp/gokharness-run/visitor"}
    runs = subject.run_instead("breakglass", program(tmp_path))
    assert [path for path, _ in fake.posts()] == ["/divert", "/restart"]
    assert not runs.stopped


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: program(folder, "amd64"), "it is for amd64, and the device is arm64"),
        (lambda folder: program(folder, "riscv64"), "it is for riscv64"),
        (lambda folder: _text(folder, "func main() {}"), "neither an ELF program nor a script"),
        (lambda folder: _text(folder, ""), "neither an ELF program nor a script"),
        (lambda folder: folder / "none", "cannot be read: No such file"),
        (lambda folder: folder, "cannot be read: Is a directory"),
    ],
)
def test_what_the_device_cannot_run_is_refused_before_it_is_sent(
    fake: FakeDevice, subject: Played, tmp_path: Path, make: Any, words: str
) -> None:
    with pytest.raises(OptionError, match=words) as raised:
        subject.run_instead("breakglass", make(tmp_path))
    assert raised.value.where.startswith(str(tmp_path))
    assert fake.received == {}


@pytest.mark.parametrize(
    "make", [lambda folder: program(folder, "arm"), lambda folder: _text(folder, "#!/bin/sh")]
)
def test_what_else_the_device_runs_is_sent(subject: Played, tmp_path: Path, make: Any) -> None:
    assert subject.run_instead("breakglass", make(tmp_path)).diverted


def test_what_is_never_started_is_said_with_the_last_words_of_the_service(
    fake: FakeDevice, subject: Played, tmp_path: Path
) -> None:
    fake.starts_diverted = False
    with pytest.raises(ApplianceFault, match=r"visitor did not run in place of /user/breakglass") as raised:
        subject.run_instead("breakglass", program(tmp_path))
    assert "the last words of /user/breakglass" in raised.value.evidence


def test_a_gokrazy_that_is_older_than_gok_run_says_so(fake: FakeDevice, subject: Played, tmp_path: Path) -> None:
    fake.knows_divert = False
    with pytest.raises(RequestRefused) as raised:
        subject.run_instead("breakglass", program(tmp_path))
    assert raised.value.status == 404
    assert "older than gok run" in raised.value.hint


def _text(folder: Path, text: str) -> Path:
    (folder / "text").write_text(text)
    return folder / "text"


def test_a_program_that_answers_is_waited_for_and_one_that_does_not_is_named(
    fake: FakeDevice, subject: Played
) -> None:
    subject.url = lambda port, path="", *, scheme="http": f"{fake.url}{path}"  # type: ignore[method-assign]
    fake.drop = 2
    with pytest.raises(WaitTimeout, match=r"for a program to answer at port 8081 .*last seen: 401"):
        # Its front page wants a password: that is an answer, and not the one that is waited for.
        subject.wait_until_served(8081)
