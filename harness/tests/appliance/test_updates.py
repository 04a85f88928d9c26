"""What is installed may be reached otherwise than what installed it: by other ports, or not at all."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.gokrazy.client import Device
from harness.image.model import Image
from harness.machine.ports import Port
from harness.tests.appliance.played import appliance, played_image


def with_facts(**facts: object) -> Image:
    made = played_image()
    for name, value in facts.items():
        object.__setattr__(made, name, value)
    return made


def test_what_runs_is_reached_at_its_own_ports(tmp_path: Path) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    subject.console.close()
    subject.power.ports = {Port(80): 1, Port(443): 2}
    before = subject.device
    subject._now_runs(played_image())
    assert subject.device is before
    subject._now_runs(with_facts(http_port=443, https_port=80))
    assert subject.device.url == "http://127.0.0.1:2"


@pytest.mark.parametrize("kexec", [True, False])
def test_what_has_no_password_is_up_by_its_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kexec: bool
) -> None:
    subject: Any = appliance(tmp_path, "virt", no_quirks=False)
    subject.console.close()
    subject.power.ports = {Port(80): 1, Port(443): 2}
    asked: list[object] = []
    monkeypatch.setattr(Device, "reboot", lambda _, **how: asked.append(how))
    for name in ("wait_for_build", "wait_for_reboot"):
        monkeypatch.setattr(Device, name, lambda *_: pytest.fail("nobody can ask it"))
    subject.status = lambda: SimpleNamespace(build_timestamp="then")
    subject._until_it_listens = lambda after, limit: asked.append("console")
    subject._serves = lambda: asked.append("serves")
    subject._reboot_into(with_facts(password=None, build="now"), kexec=kexec)
    assert asked == [{"kexec": kexec}, "console", "serves"]
    assert len(subject.downtimes) == 1


def test_somebody_elses_client_is_told_where_and_what_and_then_waited_for(tmp_path: Path) -> None:
    subject: Any = appliance(tmp_path, "virt", no_quirks=False)
    subject.console.close()
    subject.power.ports = {Port(80): 1, Port(443): 2}
    asked: list[Any] = []
    subject.status = lambda: SimpleNamespace(build_timestamp="then")
    subject._files_of = lambda image: f"the files of {image.build}"
    subject._until_it_listens = lambda after, limit: asked.append("console")
    subject._serves = lambda: asked.append("serves")
    image = with_facts(password=None, build="now")
    subject.update_with(image, lambda order: asked.append((order.url, order.password, order.files, repr(order))))
    (url, password, files, shown), *rest = asked
    assert (url, password, files) == ("http://127.0.0.1:1", "pw", "the files of now")
    assert "pw" not in shown
    assert rest == ["console", "serves"]
    assert subject.running is image


def test_what_somebody_elses_client_fails_of_goes_on(tmp_path: Path) -> None:
    subject: Any = appliance(tmp_path, "virt", no_quirks=False)
    subject.console.close()
    subject.power.ports = {Port(80): 1, Port(443): 2}
    subject.status = lambda: SimpleNamespace(build_timestamp="then")
    subject._files_of = lambda image: None
    before = subject.running

    def fails(_: object) -> None:
        raise RuntimeError("it was refused")

    with pytest.raises(RuntimeError, match="it was refused"):
        subject.update_with(with_facts(build="now"), fails)
    assert subject.running is before


def test_an_update_another_way_awaits_no_answer_from_that_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject: Any = appliance(tmp_path, "virt", no_quirks=False)
    subject.console.close()
    over: Any = SimpleNamespace(begin_reboot=lambda: None)
    asked: list[Any] = []
    subject._fitting = lambda image, *, force: SimpleNamespace(root="root", boot="boot", mbr="mbr")
    subject._updater = lambda *, over: SimpleNamespace(update=lambda **files: [over, files["root"]])
    subject._reboot_into = lambda image, ask: asked.append(ask)
    assert subject.update("next", over=over) == [over, "root"]
    assert subject.update("next") == [None, "root"]
    assert asked == [over.begin_reboot, None]
