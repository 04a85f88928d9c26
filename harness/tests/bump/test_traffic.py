"""Bulk traffic between the host's end and the device's, which runs here: whole, damaged, stalled.

Between the two is a relay that does to the bytes what a bad network driver does.
"""

from __future__ import annotations

import contextlib
import platform
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from harness.bump import traffic
from harness.bump.facts import Facts, Programs, parsed
from harness.errors import InternalError
from harness.gokrazy.breakglass import Breakglass
from harness.image.arch import Arch

SIZE = 4 << 20
HOST: Arch = "arm64" if platform.machine() == "aarch64" else "amd64"
Mangle = Callable[[bytes], bytes | None]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(tmp_path_factory.mktemp("probes"), HOST)


class Device:
    """Runs the agent here, as breakglass would on the device."""

    def __init__(self, agent: Path) -> None:
        self.agent = agent

    def run(self, command: list[str], **_: object) -> object:
        done = subprocess.run([str(self.agent), *command[1:]], capture_output=True, check=False)
        return SimpleNamespace(status=done.returncode)


def _copy(source: socket.socket, sink: socket.socket, mangle: Mangle) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            if (changed := mangle(data)) is not None:
                sink.sendall(changed)
        sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relay(to: int, mangle: Mangle) -> Iterator[int]:
    """A port that leads to another; ``mangle`` gets what comes back, and drops it by None."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", to))
                except OSError:
                    near.close()
                    continue
                threading.Thread(target=_copy, args=(near, far, lambda data: data), daemon=True).start()
                threading.Thread(target=_copy, args=(far, near, mangle), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield cast(int, listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def carried(programs: Programs, monkeypatch: pytest.MonkeyPatch, mangle: Mangle, stall: float = 30.0) -> Facts:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setattr(traffic, "PORT", port)
    rescue = cast(Breakglass, Device(programs.agent))
    with relay(port, mangle) as through:
        return traffic.exchange(rescue, through, Facts(), size=SIZE, stall=stall)


def test_all_of_it_arrives_by_every_way(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    found = carried(programs, monkeypatch, lambda data: data)
    assert not found.of("bad")
    assert list(found.of("ok")) == list(map(str, traffic.TRANSFERS)) == list(found.of("rate"))


def test_a_byte_that_is_changed_is_damage(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    found = carried(
        programs,
        monkeypatch,
        lambda data: data[:-1] + bytes([data[-1] ^ 1]) if len(data) > 1000 else data,
    )
    assert set(found.of("bad")) == {str(one) for one in traffic.TRANSFERS if one.direction == "out"}
    assert all("damaged" in why for why in found.of("bad").values())


def test_what_gets_lost_is_a_stall(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    found = carried(programs, monkeypatch, lambda data: data if data.startswith(b"whole") else None, stall=2.0)
    assert set(found.of("bad")) == {str(one) for one in traffic.TRANSFERS if one.direction == "out"}
    assert all("it stalls: not a byte for 2 s" in why for why in found.of("bad").values())


def test_an_agent_that_does_not_start_says_why(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(traffic, "PORT", taken.getsockname()[1])
        done = Device(programs.agent).run(["./agent", "traffic", str(traffic.PORT)])
        assert done.status == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("probe", ["devices", "config", "proc_net_seek", "memory", "offloads"])
def test_a_probe_prints_facts_and_nothing_else(programs: Programs, probe: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    subprocess.run([str(programs.agent), "run", str(out), str(programs.probes[probe])], check=True)
    facts = list(parsed(probe, out.read_text().splitlines()))
    assert not [name for kind, name, _ in facts if kind == "bad" and name.startswith("the probe")]


def test_what_was_packed_is_unpacked_and_runs(programs: Programs, tmp_path: Path) -> None:
    shutil.copy(programs.packed, tmp_path / "probes.tgz")
    agent = str(programs.agent)
    subprocess.run([agent, "unpack", "probes.tgz"], check=True, cwd=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(programs.probes)
    subprocess.run([agent, "run", "out", "./memory"], check=True, cwd=tmp_path)
    assert "memory available" in (tmp_path / "out").read_text()


def test_what_is_kept_is_compared_byte_for_byte(programs: Programs, tmp_path: Path) -> None:
    path, agent = tmp_path / "kept", str(programs.agent)
    for number in (None, 0, 5_000_000):
        subprocess.run([agent, "keep", str(path)], check=True)
        if number is not None:
            content = bytearray(path.read_bytes())
            content[number] ^= 1
            path.write_bytes(content)
        done = subprocess.run([agent, "kept", str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == (0 if number is None else 1)
        assert (f"from byte {number} on" in done.stderr) == (number is not None)
    path.unlink()
    done = subprocess.run([agent, "kept", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no such file" in done.stderr


def test_a_probe_that_falls_or_babbles_is_bad_and_one_without_an_end_is_ours() -> None:
    assert list(parsed("x", ["ok\tall\t", "panic: no", "end\t./x\texit status 2"])) == [
        ("ok", "all", ""),
        ("bad", "the probe x", "it printed 'panic: no'"),
        ("bad", "the probe x", "it ended with exit status 2"),
    ]
    with pytest.raises(InternalError):
        list(parsed("x", ["ok\tall\t"]))
