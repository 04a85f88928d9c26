"""A device to talk to, and a client for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.gokrazy.client import Device
from harness.gokrazy.keys import KeyPair, generate_key
from harness.tests.gokrazy.fake_device import PASSWORD, FakeDevice
from harness.tests.gokrazy.fake_ssh import FakeBreakglass


@pytest.fixture
def fake() -> Iterator[FakeDevice]:
    fake = FakeDevice()
    yield fake
    fake.close()


@pytest.fixture
def device(fake: FakeDevice) -> Iterator[Device]:
    with Device(fake.url, password=PASSWORD) as device:
        yield device


@pytest.fixture
def key(tmp_path: Path) -> KeyPair:
    return generate_key(tmp_path / "keys")


@pytest.fixture
def server(tmp_path: Path, key: KeyPair) -> Iterator[FakeBreakglass]:
    folder = tmp_path / "device"
    folder.mkdir()
    server = FakeBreakglass(folder, key.load())
    yield server
    server.close()
