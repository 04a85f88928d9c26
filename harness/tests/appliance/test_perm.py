"""The password in /perm, and files there: which password counts when, and who refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.appliance import perm
from harness.appliance.appliance import Appliance
from harness.errors import OptionError
from harness.image.load import load_raw
from harness.image.model import Image
from harness.tests.appliance.played import appliance

OWN = "another one"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    monkeypatch.setattr(perm, "write_perm", lambda _overlay, _image, name, content: files.update({name: content}))
    monkeypatch.setattr(perm, "read_perm", lambda _overlay, _image, name: files.get(name))
    return files


@pytest.fixture
def image(small_image: Path) -> Image:
    return replace(load_raw(small_image), password="pw")


@pytest.fixture
def subject(image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Appliance]:
    made = appliance(tmp_path, "virt", no_quirks=False)
    made._now_runs(image)
    monkeypatch.setattr(
        Appliance, "url", lambda _self, port, path="", *, scheme="http": f"{scheme}://127.0.0.1:{port}{path}"
    )
    yield made
    made.console.close()


def test_the_password_in_perm_counts_for_this_image_and_every_other(
    subject: Appliance, image: Image, written: dict[str, bytes]
) -> None:
    subject.set_password(OWN)
    assert written == {"gokr-pw.txt": OWN.encode()}
    assert subject.running.password == OWN
    subject._now_runs(replace(image, password="that of an update"))
    assert subject.running.password == OWN


def test_files_are_read_and_written_while_it_is_off(subject: Appliance, written: dict[str, bytes]) -> None:
    subject.write_perm("note", b"text")
    assert subject.read_perm("note") == b"text"
    assert subject.read_perm("other") is None


@pytest.mark.parametrize(
    "call",
    [
        lambda one: one.read_perm("note"),
        lambda one: one.write_perm("note", b""),
        lambda one: one.set_password(OWN),
        lambda one: one.log_server().__enter__(),
    ],
)
def test_one_that_runs_refuses_and_says_what_to_do(
    call: object, subject: Appliance, written: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(subject.power), "is_on", property(lambda _: True))
    with pytest.raises(OptionError, match="needs an appliance that is off") as caught:
        call(subject)  # type: ignore[operator]
    assert "appliance_off" in caught.value.hint
    assert not written
    assert subject.running.password == "pw"


def test_an_image_without_a_password_has_none_in_perm_either(
    subject: Appliance, written: dict[str, bytes]
) -> None:
    subject.running = replace(subject.running, password=None)
    with pytest.raises(OptionError, match="has no password"):
        subject.set_password(OWN)
    assert not written


def test_the_password_is_a_secret_of_the_report(
    subject: Appliance, written: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[str | None] = []
    monkeypatch.setattr(subject, "time_line", SimpleNamespace(keep_secret=kept.append))
    subject.set_password(OWN)
    assert OWN in kept
