from __future__ import annotations

import itertools
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import paramiko
import pytest

from harness.errors import (
    AuthenticationRefused,
    CommandFailed,
    DeviceUnreachable,
    HarnessError,
    KernelPanic,
    OptionError,
    WaitTimeout,
)
from harness.gokrazy.breakglass import SETTLES, Breakglass
from harness.gokrazy.client import Device
from harness.gokrazy.keys import KeyPair, generate_key, load_key
from harness.gokrazy.ssh import SshReach, hang_up
from harness.gokrazy.status import ServiceStatus
from harness.tests.gokrazy.fake_device import PASSWORD, FakeDevice
from harness.tests.gokrazy.fake_ssh import FakeBreakglass


@pytest.fixture
def breakglass(server: FakeBreakglass, key: KeyPair) -> Iterator[Breakglass]:
    with Breakglass("127.0.0.1", server.port, key.private) as breakglass:
        yield breakglass


# keys


def test_a_key_of_ones_own(tmp_path: Path) -> None:
    key = generate_key(tmp_path / "new", comment="a run")
    assert stat.S_IMODE(key.private.stat().st_mode) == 0o600
    assert key.public_line.startswith("ssh-ed25519 AAAA")
    assert key.public_line.endswith(" a run")
    assert key.public.read_text() == key.public_line + "\n"
    assert key.load().get_base64() == key.public_line.split()[1]
    with pytest.raises(FileExistsError):
        generate_key(tmp_path / "new")


def test_keys_of_no_use(tmp_path: Path) -> None:
    junk = tmp_path / "junk"
    junk.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nVERYSECRET\n-----END OPENSSH PRIVATE KEY-----\n")
    with pytest.raises(OptionError) as caught:
        load_key(junk)
    assert "VERYSECRET" not in str(caught.value)
    assert caught.value.where == str(junk)
    with pytest.raises(OptionError, match="No such file"):
        load_key(tmp_path / "none")
    locked = tmp_path / "locked"
    paramiko.ECDSAKey.generate().write_private_key_file(str(locked), password="pass")
    with pytest.raises(OptionError, match=r"passphrase|not an SSH"):
        load_key(locked)


# the connection


def test_connect_tells_the_fingerprint(breakglass: Breakglass, server: FakeBreakglass) -> None:
    assert breakglass.probe() is SshReach.READY
    assert breakglass.connect() == server.host_key.fingerprint
    assert breakglass.fingerprints == [server.host_key.fingerprint]


def test_a_foreign_key_is_refused_by_name(server: FakeBreakglass, tmp_path: Path) -> None:
    foreign = generate_key(tmp_path / "foreign")
    stranger = Breakglass("127.0.0.1", server.port, foreign.private)
    with pytest.raises(AuthenticationRefused) as caught:
        stranger.run("true")
    assert foreign.load().fingerprint in caught.value.what
    assert server.commands == []


def test_a_password_is_refused(breakglass: Breakglass) -> None:
    with pytest.raises(AuthenticationRefused, match="takes publickey only") as caught:
        breakglass.try_password("hunter2")
    assert "hunter2" not in str(caught.value)


def test_nobody_listens(key: KeyPair) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        breakglass = Breakglass("127.0.0.1", free.getsockname()[1], key.private)
        assert breakglass.probe() is SshReach.REFUSED
        with pytest.raises(DeviceUnreachable, match="Connection refused"):
            breakglass.run("true")


def test_accepted_then_dropped(breakglass: Breakglass, server: FakeBreakglass) -> None:
    server.mute = True
    assert breakglass.probe() is SshReach.RESET
    with pytest.raises(DeviceUnreachable, match="before it was up"):
        breakglass.connect()


def test_something_else_answers(key: KeyPair, fake: FakeDevice) -> None:
    fake.hang = True
    assert Breakglass("127.0.0.1", fake.port, key.private).probe(timeout=0.2) is SshReach.SILENT


def test_nothing_is_left_open(breakglass: Breakglass) -> None:
    before = {one.name for one in threading.enumerate() if "paramiko" in type(one).__module__}
    breakglass.run("true")
    breakglass.close()
    ours = [
        one
        for one in threading.enumerate()
        if isinstance(one, paramiko.Transport) and not one.server_mode and one.is_alive()
    ]
    assert ours == []
    assert before == set()


# commands


def test_status_and_both_streams(breakglass: Breakglass) -> None:
    result = breakglass.run("echo out; echo err >&2; exit 7", check=False)
    assert (result.status, result.stdout, result.stderr) == (7, b"out\n", b"err\n")
    assert result.text == "out"
    assert result.error_text == "err"
    assert result.complete


def test_a_failure_says_what_the_command_said(breakglass: Breakglass) -> None:
    with pytest.raises(CommandFailed, match="ended with status 3: no such thing") as caught:
        breakglass.run("echo no such thing >&2; echo Usage: >&2; exit 3")
    assert caught.value.status == 3
    assert caught.value.hint
    assert "no such thing\nUsage:" in caught.value.evidence


def test_output_survives_a_server_that_loses_it(breakglass: Breakglass, server: FakeBreakglass) -> None:
    server.loses_output = True
    lost = breakglass.run("echo out", plain=True)
    assert (lost.stdout, lost.complete) == (b"", False)  # the defect is there
    kept = breakglass.run("echo out; echo err >&2; exit 5", check=False)
    assert (kept.status, kept.stdout, kept.stderr, kept.complete) == (5, b"out\n", b"err\n", True)


def test_much_output_on_both_streams(breakglass: Breakglass) -> None:
    result = breakglass.run("seq 1 200000; seq 1 200000 >&2")
    assert result.stdout == result.stderr == "".join(f"{i}\n" for i in range(1, 200001)).encode()


def test_too_much_output(breakglass: Breakglass, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.gokrazy.command.OUTPUT_LIMIT", 1 << 20)
    with pytest.raises(CommandFailed, match="more than 1 MiB"):
        breakglass.run("yes", timeout=30)


def test_standard_input(breakglass: Breakglass) -> None:
    assert breakglass.run("cat").stdout == b""
    assert breakglass.run("cat", stdin=b"a\0b").stdout == b"a\0b"
    assert breakglass.run("wc -c", stdin=b"x" * 300_000).text.strip() == "300000"
    assert breakglass.run("true", stdin=b"x" * 300_000).status == 0
    assert breakglass.run("cat", stdin=b"plainly", plain=True).status == 0


def test_words_are_quoted(breakglass: Breakglass) -> None:
    assert breakglass.run(["printf", "%s|", "a b", "it's", "$HOME"]).text == "a b|it's|$HOME|"
    assert breakglass.run("echo x # comment").text == "x"


def test_ended_by_a_signal(breakglass: Breakglass) -> None:
    with pytest.raises(CommandFailed, match="by a signal") as caught:
        breakglass.run("kill -9 $$")
    assert caught.value.status == -1


def test_an_image_without_a_shell(breakglass: Breakglass, server: FakeBreakglass) -> None:
    server.has_shell = False
    result = breakglass.run("echo out")
    assert (result.text, result.complete) == ("out", False)
    breakglass.run("true")
    assert server.commands[1:] == ["echo out", "true"]  # asked once for a shell, not again
    with pytest.raises(CommandFailed, match="did not start 'ls'") as caught:
        breakglass.run("ls")
    assert caught.value.status == 127


def test_a_command_that_takes_too_long(breakglass: Breakglass) -> None:
    start = time.monotonic()
    with pytest.raises(WaitTimeout, match=r"waited 0.5 s for .*sleep") as caught:
        breakglass.run("echo begun; sleep 20", timeout=0.5)
    assert "begun" in caught.value.evidence
    assert time.monotonic() - start < 8
    assert breakglass.run("echo again").text == "again"


def test_a_server_that_does_not_answer_a_request(breakglass: Breakglass, server: FakeBreakglass) -> None:
    breakglass.connect()
    server.stuck = True
    start = time.monotonic()
    with pytest.raises(WaitTimeout, match="start 'true'"):
        breakglass.run("true", timeout=0.5)
    assert time.monotonic() - start < 8


def test_the_connection_is_lost(server: FakeBreakglass, key: KeyPair) -> None:
    dead = threading.Event()

    def check() -> None:
        if dead.is_set():
            raise KernelPanic("it is dead")

    with Breakglass("127.0.0.1", server.port, key.private, check=check) as breakglass:
        breakglass.connect()
        server.at_command = lambda command: server.drop_connections() if "sleep" in command else None
        with pytest.raises(DeviceUnreachable, match="lost while"):
            breakglass.run("sleep 5", timeout=20)
        assert breakglass.run("echo again").text == "again"  # a new connection
        server.at_command = lambda command: dead.set() if "sleep" in command else None
        with pytest.raises(KernelPanic):
            breakglass.run("sleep 5", timeout=20)


# files


@pytest.mark.parametrize("name", [Path, str])
def test_files_there_and_back(
    breakglass: Breakglass, server: FakeBreakglass, tmp_path: Path, name: type[Path | str]
) -> None:
    content = bytes(range(256)) * 2000
    source = tmp_path / "source"
    source.write_bytes(content)
    breakglass.put(name(source), "a.bin", mode=0o750)
    assert stat.S_IMODE((server.folder / "a.bin").stat().st_mode) == 0o750
    assert breakglass.get_bytes("a.bin") == content
    breakglass.put_bytes(b"text", "b.txt")
    breakglass.get("b.txt", name(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == b"text"


@pytest.mark.parametrize("size", [10, 100_000, 1 << 20])
def test_a_file_that_finds_no_room_is_noticed(breakglass: Breakglass, server: FakeBreakglass, size: int) -> None:
    (server.folder / "full").symlink_to("/dev/full")
    with pytest.raises(CommandFailed, match="did not take /full"):
        breakglass.put_bytes(bytes(size), "/full")


def test_files_that_are_not_there(breakglass: Breakglass, tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="did not give none"):
        breakglass.get_bytes("none")
    with pytest.raises(CommandFailed, match="did not take"):
        breakglass.put_bytes(b"x", "no/such/folder")
    with pytest.raises(OptionError, match="no such file"):
        breakglass.put(tmp_path / "none", "x")


def test_a_program_of_ones_own(breakglass: Breakglass, tmp_path: Path) -> None:
    program = tmp_path / "probe"
    program.write_text('#!/bin/sh\necho "$# $1"\nexit 4\n')
    result = breakglass.run_binary(str(program), "a b", check=False)
    assert (result.status, result.text) == (4, "1 a b")
    with pytest.raises(OptionError, match="no such program"):
        breakglass.run_binary(tmp_path / "none")


# a terminal


def test_a_shell(breakglass: Breakglass) -> None:
    with breakglass.shell() as shell:
        shell.expect("# $", 5)
        assert shell.command("echo hi", 5) == (0, "hi\n")
        assert shell.command("false", 5) == (1, "")
        with pytest.raises(WaitTimeout, match="'never'"):
            shell.expect("never", 0.2)
        shell.send_line("exit")
        with pytest.raises(DeviceUnreachable, match="shell ended"):
            shell.expect("more", 5)


# the service


def service_of(fake: FakeDevice) -> dict[str, object]:
    service = fake.service("/user/breakglass")
    assert service is not None
    return service


def test_start_and_stop(fake: FakeDevice, device: Device, server: FakeBreakglass, key: KeyPair) -> None:
    breakglass = Breakglass("127.0.0.1", server.port, key.private, device=device)
    server.mute = True
    service_of(fake)["Stopped"] = True

    def first_start_fails(verb: str) -> None:
        service_of(fake)["Stopped"] = server.mute = len(fake.posts()) == 1

    fake.acted = first_start_fails
    breakglass.start(timeout=10)
    assert [path for path, _ in fake.posts()] == ["/restart", "/restart"]
    breakglass.start(timeout=10)  # it answers: nothing to do
    assert len(fake.posts()) == 2
    assert breakglass.run("echo x").text == "x"

    def last_greeting(verb: str) -> None:
        server.last_greetings = 1

    fake.acted = last_greeting
    breakglass.stop(timeout=10)
    assert server.mute
    assert service_of(fake)["Stopped"]


def test_it_is_not_up_before_it_listens_everywhere(
    fake: FakeDevice, device: Device, server: FakeBreakglass, key: KeyPair
) -> None:
    # It greets on its IPv4 address, and is about to fall over its IPv6 one.
    log = fake.log("/user/breakglass")
    log.put(("stdout", "listening on 127.0.0.1:22"))
    log.put(("stdout", "listening on 10.0.2.15:22"))
    breakglass = Breakglass("127.0.0.1", server.port, key.private, device=device)
    with pytest.raises(WaitTimeout, match=r"it greets, but its last word is 'listening on 10.0.2.15:22'"):
        breakglass.start(timeout=0.05)


def test_it_is_up_once_it_has_said_its_fingerprint(
    fake: FakeDevice, device: Device, server: FakeBreakglass, key: KeyPair
) -> None:
    log = fake.log("/user/breakglass")
    for line in ("listening on 10.0.2.15:22", "listening on [fe80::1%eth0]:22", "host key fingerprint: SHA256:x"):
        log.put(("stdout", line))
    Breakglass("127.0.0.1", server.port, key.private, device=device).start(timeout=0.05)


def test_a_start_that_never_succeeds(
    fake: FakeDevice, device: Device, server: FakeBreakglass, key: KeyPair
) -> None:
    fake.log("/user/breakglass").put(("stderr", "bind: cannot assign requested address"))
    server.mute = True
    with pytest.raises(WaitTimeout, match=r"breakglass to greet .*dropped") as caught:
        Breakglass("127.0.0.1", server.port, key.private, device=device).start(timeout=0.5)
    assert "cannot assign" in caught.value.evidence


@pytest.mark.parametrize("said", ["open /perm/breakglass.authorized_keys: no such file", SETTLES])
def test_one_that_falls_again_and_again_is_not_waited_for_unless_an_address_settles(
    fake: FakeDevice,
    device: Device,
    server: FakeBreakglass,
    key: KeyPair,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = fake.log("/user/breakglass")
    for line in ('gokrazy: attempt 0, starting ["/user/breakglass"]', said, "gokrazy: exit status 1"):
        log.put(("stderr", f"2026/11/26 19:23:03 {line}"))
    server.mute = True
    pids = itertools.count(100)
    monkeypatch.setattr(
        device,
        "service",
        lambda _: ServiceStatus("/user/breakglass", (), next(pids), None, stopped=False, diverted=""),
    )
    with pytest.raises(HarnessError) as caught:
        Breakglass("127.0.0.1", server.port, key.private, device=device).start(timeout=3)
    if said == SETTLES:
        assert isinstance(caught.value, WaitTimeout)
    else:
        assert caught.value.what == f"breakglass does not stay up: {said}"
        assert not caught.value.overdue
        assert "authorized keys" in caught.value.hint


def test_a_start_without_a_web_interface(breakglass: Breakglass) -> None:
    with pytest.raises(OptionError, match="web interface"):
        breakglass.start()


def test_a_refused_password_is_not_waited_for(server: FakeBreakglass, key: KeyPair, fake: FakeDevice) -> None:
    server.mute = True
    stranger = Device(fake.url, password=PASSWORD + "x")
    with pytest.raises(AuthenticationRefused):
        Breakglass("127.0.0.1", server.port, key.private, device=stranger).start(timeout=30)


def test_hanging_up_a_lost_connection_is_no_error(breakglass: Breakglass) -> None:
    class Lost:
        def close(self) -> None:
            raise EOFError

    hang_up(cast(paramiko.Channel, Lost()))
