"""A device that was restored: it is known to be ready, and its clock stood still."""

from __future__ import annotations

import pytest

from harness.errors import AuthenticationRefused
from harness.gokrazy import client
from harness.gokrazy.client import FEATURES, Device, _behind
from harness.gokrazy.transport import Answer
from harness.tests.gokrazy.fake_device import FakeDevice


def test_it_is_asked_for_the_least_it_has(fake: FakeDevice, device: Device) -> None:
    behind = device.wait_until_it_answers(5)
    assert behind is not None
    assert abs(behind) < 3
    assert {path for _, path, _ in fake.requests} == {FEATURES}


def test_a_dropped_connection_is_not_its_end(fake: FakeDevice, device: Device) -> None:
    fake.drop = 2
    device.wait_until_it_answers(5)
    assert fake.drop == 0


def test_a_refused_password_ends_the_wait_at_once(fake: FakeDevice) -> None:
    with pytest.raises(AuthenticationRefused):
        Device(fake.url, password="another").wait_until_it_answers(30)


def test_a_clock_that_stood_still_is_behind() -> None:
    answer = Answer("GET", "http://x/", 200, {"Date": "Thu, 01 Jan 2026 00:00:00 GMT"}, b"", 0.1)
    behind = _behind(answer)
    assert behind is not None
    assert behind > 0
    for headers in ({}, {"Date": "yesterday"}):
        assert client._behind(Answer("GET", "http://x/", 200, headers, b"", 0.1)) is None
