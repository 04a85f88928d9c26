"""The update server, asked as a device asks it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from harness.errors import KernelPanic, WaitTimeout
from harness.gokrazy.update_server import ARCHIVE, UpdateServer


@pytest.fixture
def server() -> Iterator[UpdateServer]:
    with UpdateServer(lambda port: f"http://127.0.0.1:{port}") as server:
        yield server


def ask(server: UpdateServer, kind: str, body: Any) -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(f"{server.url}/api/v1/{kind}", data=data, timeout=10)


def test_what_is_offered_is_wanted_announced_and_had(server: UpdateServer, tmp_path: Path) -> None:
    archive = tmp_path / "disk.gaf"
    archive.write_bytes(bytes(3 << 20))
    server.offer(archive, "abc")
    wanted = ask(server, "update", {"machine_id": "m"}).json()
    assert wanted == {"sbom_hash": "abc", "registry_type": "localdisk", "download_link": ARCHIVE}
    assert ask(server, "attempt", {"machine_id": "m", "sbom_hash": "abc"}).json() == {}
    assert requests.get(server.url + wanted["download_link"], timeout=10).content == bytes(3 << 20)
    assert server.wait_for("download", 10).body == {}
    assert [one.body for one in server.asked("attempt")] == [{"machine_id": "m", "sbom_hash": "abc"}]
    assert len(server.asked("update")) == 1


def test_without_an_offer_there_is_nothing_to_be_had(server: UpdateServer) -> None:
    assert ask(server, "update", {"machine_id": "m"}).status_code == 404
    assert requests.get(server.url + ARCHIVE, timeout=10).status_code == 404
    assert len(server.asked("update")) == 1, "it was asked all the same"


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [("push", {}, 404), ("update", b"", 400), ("update", b"no json", 400), ("update", [1], 400)],
)
def test_what_is_no_request_of_a_device_is_refused(
    server: UpdateServer, kind: str, body: Any, status: int
) -> None:
    assert ask(server, kind, body).status_code == status
    assert server.asked("update") == []


def test_a_wait_says_what_came_instead_and_ends_with_the_device(server: UpdateServer) -> None:
    ask(server, "heartbeat", {"hostname": "vm"})
    assert server.wait_for("heartbeat", 1).body["hostname"] == "vm"
    with pytest.raises(WaitTimeout, match=r"request 2 of the kind heartbeat .*asked: heartbeat"):
        server.wait_for("heartbeat", 0.2, count=2)

    def dead() -> None:
        raise KernelPanic("it is dead")

    with UpdateServer(lambda port: f"http://127.0.0.1:{port}", check=dead) as other, pytest.raises(KernelPanic):
        other.wait_for("update", 30)
