"""Two appliances on one segment: whose frames go where, and the agent as both ends of bulk traffic."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.bump.facts import Programs, parsed
from harness.bump.segment import HARDWARE, _carry
from harness.bump.traffic import _until_it_answers
from harness.machine.tap import HEAD, Tap
from harness.tests.bump.test_traffic import HOST, SIZE, Mangle, relay

REAL = bytes.fromhex("52 54 00 67 6f 6b")
GATEWAY = bytes.fromhex("52 55 0a 00 02 02")


@pytest.fixture
def ends() -> Iterator[list[dict[str, socket.socket]]]:
    """QEMU's ends of the taps of two machines, and ours of them."""
    made = [{name: socket.socketpair() for name in ("out", "back", "give")} for _ in range(2)]
    theirs = [{name: pair[1] for name, pair in one.items()} for one in made]
    ours = [{f"our {name}": pair[0] for name, pair in one.items()} for one in made]
    yield [one | two for one, two in zip(theirs, ours, strict=True)]
    for one in made:
        for pair in one.values():
            for end in pair:
                end.close()


def test_a_frame_for_the_other_is_translated_and_all_else_goes_to_the_host(
    ends: list[dict[str, socket.socket]],
) -> None:
    taps = [Tap({name: one[f"our {name}"] for name in ("out", "back", "give")}) for one in ends]
    real = {1: REAL}
    for frame in (GATEWAY + REAL + b"\x08\x00to the host", HARDWARE[1] + REAL + b"\x08\x00to the other"):
        ends[0]["out"].sendall(HEAD.pack(len(frame)) + frame)
    ends[0]["out"].shutdown(socket.SHUT_WR)
    _carry(0, taps, real)
    assert ends[0]["back"].recv(999)[4:] == GATEWAY + REAL + b"\x08\x00to the host"
    assert ends[1]["give"].recv(999)[4:] == REAL + HARDWARE[0] + b"\x08\x00to the other"
    assert real[0] == REAL


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Programs(tmp_path_factory.mktemp("probes"), HOST).agent


def carried(agent: Path, direction: str, mangle: Mangle) -> list[tuple[str, str]]:
    """What the agent says of carrying bytes from or to another one, which listens here."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    listens = subprocess.Popen([str(agent), "traffic", str(port)])
    try:
        _until_it_answers(port, lambda: None, 30.0)
        with relay(port, mangle) as through:
            command = [str(agent), "carry", f"127.0.0.1:{through}", direction, str(SIZE), "65536"]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    finally:
        listens.kill()
        listens.wait()
    lines = [*said.splitlines(), "end\tcarry\texit status 0"]
    return [(kind, value) for kind, _, value in parsed("carry", lines)]


# The agent takes a minute to compile where nothing is kept.
@pytest.mark.gk_tier("nightly")
def test_what_arrives_whole_has_a_rate_and_what_is_changed_is_damaged(agent: Path) -> None:
    for direction in ("in", "out"):
        (ok, (rate, speed)) = carried(agent, direction, lambda data: data)
        assert ok == ("ok", "")
        assert rate == "rate"
        assert float(speed) > 0
    (found,) = carried(agent, "out", lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    assert found[0] == "bad"
    assert "it is damaged within" in found[1]
