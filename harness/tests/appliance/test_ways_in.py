"""The ways into an appliance."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.appliance.core import Core
from harness.errors import (
    OptionError,
)
from harness.image.model import Breakglass
from harness.machine.ports import Port
from harness.tests.appliance.played import appliance


def test_a_device_without_an_answer_says_why(tmp_path: Path) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    assert subject.network_from_within().startswith("ip address; ip route")
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
    monkeypatch.setattr(Core, "device", SimpleNamespace(service={"/user/breakglass": service}.__getitem__))
    with pytest.raises(OptionError, match=f"port {port}/tcp of the appliance is not forwarded") as caught:
        subject.connect_breakglass(key=tmp_path)
    assert f"--gk-forward {port}/tcp" in caught.value.hint


def test_the_command_for_ssh_leads_to_breakglass_as_it_was_started_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = appliance(tmp_path, "virt", no_quirks=False)
    subject.console.close()
    assert subject.ssh_command == "", "it has no breakglass"
    object.__setattr__(subject.image, "breakglass", Breakglass(port=80))
    subject._key = tmp_path / "key"
    subject.power.ports = {Port(80): 40080, Port(443): 40443}
    assert subject.ssh_command.endswith(f" -i {tmp_path}/key -p 40080 root@127.0.0.1")
    # The device says that it is started with another port.
    started = SimpleNamespace(address=SimpleNamespace(port=40443), start=lambda timeout: None, close=lambda: None)
    monkeypatch.setattr(subject, "_breakglass", lambda key: started)
    subject.start_breakglass()
    assert " -p 40443 " in subject.ssh_command
    subject.power.ports = {Port(80): 50080}
    assert " -p 50080 " in subject.ssh_command, "another machine has other ports"
