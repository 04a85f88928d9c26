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
