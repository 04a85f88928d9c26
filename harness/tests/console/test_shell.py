"""The serial shell, played by the host's sh behind a socket."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator

import pytest

from harness.console.console import Console
from harness.console.dialogue import Await, Type, script
from harness.console.shell import SerialShell, frame, settle, wake
from harness.errors import CommandFailed, InternalError, KernelPanic, ServiceMissing, WaitTimeout
from harness.tests.console.replay import FakeMachine

pytestmark = pytest.mark.skipif(not shutil.which("base64"), reason="the host has no base64 program")

NOISE = b"[   12.345678] EXT4-fs (vda4): noise\r\n"
COLUMNS = 79


class Guest:
    """init and ash, as they behave on a console: echo, prompt, nothing until a key."""

    def __init__(self, fake: FakeMachine) -> None:
        self.fake = fake
        self.refuse = 0
        """How many keys init answers with 'could not start shell'."""
        self.deaf = 0
        """How many keys get no answer at all."""
        self.noise = False
        self.started = 0
        self.typed: list[str] = []
        self.rebooted = False
        self.hang = threading.Event()
        self.thread = threading.Thread(target=self.live, daemon=True)
        self.thread.start()

    def reboot(self, console: Console) -> None:
        """The kernel starts again, and the shell is gone; returns when the console knows."""
        self.rebooted = True
        mark = console.mark()
        self.fake.say(b"\r\n[    0.000000] Linux version 7.1.2 (gokrazy@docker)\r\n")
        console.wait_for_line("Linux version", timeout=5, since=mark)

    def say(self, data: bytes) -> None:
        if self.noise:
            # The kernel prints right into a line; init's lines queue up behind it, as writes to one terminal do.
            lines = data.split(b"\n")
            data = b"\n".join(
                line[:9] + NOISE + line[9:] + b"\n2026/11/22 01:42:39 init.go:1: chatter\r"
                if number % 3 == 0 and line.startswith(b"gk")
                else line
                for number, line in enumerate(lines)
            )
        self.fake.say(data)

    def live(self) -> None:
        with contextlib.suppress(OSError):  # the test is over
            self.run()

    def run(self) -> None:
        rest = b""
        shell = False
        prompt = b"/ # "
        state: list[str] = []
        while True:
            data = self.fake.ours.recv(4096)
            if not data:
                return
            rest += data
            if self.rebooted:
                shell, self.rebooted = False, False
            while match := re.search(rb"\n|\x03", rest):
                typed, rest = rest[: match.start()], rest[match.end() :]
                self.typed.append(typed.decode())
                if match[0] == b"\x03":
                    self.fake.say(b"^C\r\n" + prompt)
                elif not shell:
                    if self.deaf:
                        self.deaf -= 1
                    elif self.refuse:
                        self.refuse -= 1
                        self.fake.say(
                            b"\r\n2026/11/22 could not start shell: stat /perm/sh: no such file or directory\r\n"
                        )
                    else:
                        shell, prompt, state = True, b"/ # ", []
                        self.started += 1
                        self.fake.say(
                            b"\r\n2026/11/22 starting shell /tmp/serial-busybox/ash upon input\r\n" + prompt
                        )
                else:
                    shell, prompt = self.obey(typed.decode(), prompt, state)

    def obey(self, line: str, prompt: bytes, state: list[str]) -> tuple[bool, bytes]:
        echo = "\r\r\n".join(line[at : at + COLUMNS] for at in range(0, len(line), COLUMNS))
        self.fake.say(f"{echo}\r\n".encode())
        if line == "exit 0":
            return False, prompt
        if line.startswith("PS1="):
            prompt = line.removeprefix("PS1=").replace('"', "").encode()
        elif re.fullmatch(r"gk=\S+", line):
            state.append(line)
        elif "HANG" in line:
            return True, prompt
        elif line:
            done = subprocess.run(["sh", "-c", "\n".join([*state, line])], capture_output=True, check=False)
            self.say(done.stdout.replace(b"\n", b"\r\n"))
        self.fake.say(prompt)
        return True, prompt


@pytest.fixture
def guest(console: Console) -> Iterator[Guest]:
    fake = FakeMachine()
    console.attach(fake.theirs)
    yield Guest(fake)
    console.detach()
    fake.end()


@pytest.fixture
def shell(console: Console, guest: Guest) -> Iterator[SerialShell]:
    with SerialShell(console, timeout=5) as opened:
        yield opened


def test_status_and_output_come_back(shell: SerialShell) -> None:
    assert shell.run("echo hello; echo error >&2; exit 7") == (7, "hello\nerror\n")
    assert shell.run("printf 'no newline'") == (0, "no newline")
    assert shell.run("true") == (0, "")


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("echo \"it's\" '$HOME' \\\\", "it's $HOME \\\n"),
        ("echo two\necho lines", "two\nlines\n"),
        ("# only a comment", ""),
        ("echo ä€", "ä€\n"),
        ("cat", ""),
        ("echo '" + "x" * 3000 + "'", "x" * 3000 + "\n"),
        ("echo\ta", "a\n"),
        ("seq 1 3000", "".join(f"{n}\n" for n in range(1, 3001))),
    ],
)
def test_any_command_will_do(shell: SerialShell, command: str, output: str) -> None:
    assert shell.run(command) == (0, output)


def test_bytes_stay_bytes(shell: SerialShell) -> None:
    assert shell.run_bytes(r"printf '\000\377\r\n\033[2J'") == (0, b"\0\xff\r\n\x1b[2J")


def test_noise_in_between_does_no_harm(guest: Guest, shell: SerialShell) -> None:
    guest.noise = True
    assert shell.run("seq 1 500") == (0, "".join(f"{n}\n" for n in range(1, 501)))


def test_unbalanced_quotes_fail_and_the_next_command_works(shell: SerialShell) -> None:
    status, _ = shell.run('echo "unbalanced')
    assert status != 0
    assert shell.run("echo next") == (0, "next\n")


def test_a_command_that_must_succeed(shell: SerialShell) -> None:
    assert shell.check("echo fine") == "fine\n"
    with pytest.raises(CommandFailed, match="status 3") as raised:
        shell.check("echo why; exit 3")
    assert (raised.value.status, raised.value.evidence) == (3, "why\n")


def test_a_command_without_end_is_interrupted(shell: SerialShell) -> None:
    with pytest.raises(WaitTimeout, match="the end of the command 'HANG'"):
        shell.run("HANG", timeout=0.3)
    assert shell.run("echo next") == (0, "next\n")


def test_a_crash_ends_the_command(guest: Guest, shell: SerialShell) -> None:
    crash = b"[    1.000000] Kernel panic - not syncing: x\r\n[    1.000000] Rebooting in 10 seconds..\r\n"
    threading.Timer(0.2, guest.fake.say, [crash]).start()
    with pytest.raises(KernelPanic):
        shell.run("HANG", timeout=30)


def test_a_shell_that_is_not_unpacked_yet_is_knocked_at_again(console: Console, guest: Guest) -> None:
    guest.refuse = 1
    with SerialShell(console, timeout=10) as shell:
        assert shell.run("echo there") == (0, "there\n")
    assert console.unclean() == []


def test_an_image_without_shell_is_told_so(console: Console, guest: Guest) -> None:
    guest.refuse = 100
    with pytest.raises(ServiceMissing, match="no serial shell") as raised:
        SerialShell(console, timeout=0.5).open()
    assert "serial-busybox" in raised.value.hint
    assert "stat /perm/sh" in raised.value.evidence


def test_nothing_answers(console: Console, guest: Guest) -> None:
    guest.deaf = 100
    with pytest.raises(WaitTimeout, match="prompt of the serial shell"):
        SerialShell(console, timeout=0.5).open()


def test_a_lost_key_is_typed_again(console: Console, guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.console.shell._KNOCK", 0.5)
    guest.deaf = 1
    with SerialShell(console, timeout=10) as shell:
        assert shell.run("echo there") == (0, "there\n")


def test_it_is_left_and_entered_again(console: Console, guest: Guest) -> None:
    for number in (1, 2):
        with SerialShell(console, timeout=5) as shell:
            shell.open()
            assert shell.run("echo in") == (0, "in\n")
        assert guest.started == number


def test_it_is_started_again_after_a_reboot(console: Console, guest: Guest) -> None:
    with SerialShell(console, timeout=5) as shell:
        assert shell.run("echo before") == (0, "before\n")
        guest.reboot(console)
        assert shell.run("echo after") == (0, "after\n")
    assert guest.started == 2


def test_no_farewell_is_typed_into_the_next_boot(console: Console, guest: Guest) -> None:
    with SerialShell(console, timeout=5):
        guest.reboot(console)
    assert SerialShell(console, timeout=5).run("echo a shell of its own") == (0, "a shell of its own\n")
    assert "exit 0" not in guest.typed


def test_the_echo_never_looks_like_the_answer() -> None:
    framed = frame("echo hi", "gk12345678")
    assert "gk12345678" not in "".join(framed.typed)
    assert re.search(framed.end, "".join(framed.typed)) is None
    [_, typed, awaited] = settle("gkabcd# ", 1.0)
    assert isinstance(typed, Type)
    assert isinstance(awaited, Await)
    assert re.search(awaited.pattern, typed.text) is None


def test_no_line_is_longer_than_the_shell_can_edit() -> None:
    for command in ("x" * 400, "'" * 400, "ä" * 5000):
        assert max(len(line) for line in frame(command, "gk12345678").typed) < 1023


@pytest.mark.parametrize(
    "raw",
    [
        b"gk12345678:1:aGVsbG8KMA\r\ngk12345678 end 1\r\n",
        b"gk12345678:2:aGVsbG8KMA==\r\ngk12345678 end 2\r\n",
        b"gk12345678:1:aGVsbG8KMA==\r\n",
        b"gk12345678:1:aGVsbG8=\r\ngk12345678 end 1\r\n",
    ],
)
def test_an_answer_with_a_gap_is_no_answer(raw: bytes) -> None:
    with pytest.raises(InternalError, match="cannot be read"):
        frame("x", "gk12345678").answer(raw)


def test_a_whole_answer_is_one() -> None:
    raw = b"gk12345678:1:aGVsbG8KMA==\r\ngk12345678 end 1\r\n"
    assert frame("x", "gk12345678").answer(raw) == (0, b"hello")


def test_a_dialogue_can_be_printed() -> None:
    assert script(wake(3.0)).splitlines()[:2] == ["forget what came so far", "type '\\n'"]
    assert "await the prompt of the serial shell within 3 s" in script(wake(3.0))
