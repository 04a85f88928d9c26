"""A device to talk to, and a client for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.gokrazy.client import Device
from harness.tests.gokrazy.fake_device import PASSWORD, FakeDevice


@pytest.fixture
def fake() -> Iterator[FakeDevice]:
    fake = FakeDevice()
    yield fake
    fake.close()


@pytest.fixture
def device(fake: FakeDevice) -> Iterator[Device]:
    with Device(fake.url, password=PASSWORD) as device:
        yield device
