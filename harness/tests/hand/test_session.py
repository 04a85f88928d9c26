"""A person in front of a machine that is played, through a pseudo-terminal: keys, commands, and how it is left."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from harness.hand import commands
from harness.hand.keys import KEYS
from harness.hand.terminal import GuestModes
from harness.tests.hand.played import PROMPT

SHELL = """
# Ctrl-C at a prompt is for all who have the terminal.
trap : INT
before=$(stty -g)
{python} -m harness.tests.hand.played {folder}
status=$?
[ "$before" = "$(stty -g)" ] && terminal=same || terminal=changed
echo "ended with $status $terminal"
"""
LIMIT = 30
"""Seconds for anything to be shown, on a busy host."""


class Person:
    """Somebody at a terminal, in a shell that says in the end whether the terminal is as it was."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        script = folder / "typed.sh"
        script.write_text(SHELL.format(python=sys.executable, folder=folder))
        environment = {**os.environ, "TERM": "dumb", "INPUTRC": "/dev/null"}
        self.child: pexpect.spawn[str] = pexpect.spawn(
            "/bin/sh", [str(script)], encoding="utf-8", timeout=LIMIT, env=environment
        )
        self.sees(PROMPT)

    def sees(self, text: str) -> str:
        """Wait for a text; returns what came before it."""
        self.child.expect_exact(text)
        return str(self.child.before)

    def types(self, text: str) -> None:
        self.child.send(text)

    def is_raw(self) -> bool:
        """Whether the terminal hands every key on as it is typed."""
        return not termios.tcgetattr(self.child.child_fd)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def signals(self, number: signal.Signals) -> None:
        """Send a signal to the session, and to nobody else."""
        (session,) = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text().split()
        os.kill(int(session), number)

    def leaves(self, status: int = 0) -> str:
        """Wait for the end, which must be this one; returns the last that was shown."""
        said = self.sees("ended with ")
        self.child.expect(pexpect.EOF)
        assert str(self.child.before).split() == [str(status), "same"], said
        return said


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Somebody who stays: a session costs a second to begin."""
    made = Person(tmp_path_factory.mktemp("standing"))
    yield made
    made.types("\x01x")
    assert "left" in made.leaves()
    made.child.close(force=True)


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    """Somebody who leaves in the test."""
    made = Person(tmp_path)
    yield made
    made.child.close(force=True)


def test_every_key_but_ctrl_a_goes_to_the_guest_unchanged(standing: Person) -> None:
    for typed in ("a", "\r", "\x03", "\x1a", "\x11\x13", "\x04", "\x7f", "\x1b[A", "ä"):
        standing.types(typed)
        standing.sees(f"<{typed.encode().hex()}>")
    standing.types("\x01\x01")
    standing.sees("<01>")


def test_the_help_names_the_keys_and_goes_to_nobody(standing: Person) -> None:
    standing.types("\x01h")
    for key in KEYS:
        standing.sees(key.help)
    standing.types("z")
    assert "<" not in standing.sees("<7a>")


def test_a_command_is_typed_at_a_prompt_and_its_end_is_said(standing: Person) -> None:
    standing.types("\x01c")
    standing.sees("mine> ")
    standing.types("checkpoint 'a b'\r")
    standing.sees("checkpoint 'a b' is kept")
    standing.types("\x01c")
    standing.sees("mine> ")
    standing.types("help\r")
    standing.sees(commands.COMMANDS[-1].help)
    standing.types("y")
    standing.sees("<79>")


def test_a_command_that_is_none_or_fails_is_said_and_all_goes_on(standing: Person) -> None:
    standing.types("\x01c")
    standing.sees("mine> ")
    standing.types("frobnicate\r")
    standing.sees("there is no command 'frobnicate'")
    standing.types("\x01c")
    standing.sees("mine> ")
    standing.types("flip\r")
    standing.sees("flip: it is not known what is in the inactive slot")
    standing.sees("to do:")
    for given_up in ("\x03", "\x04", "\r"):
        standing.types("\x01c")
        standing.sees("mine> ")
        standing.types(given_up)
    standing.types("y")
    standing.sees("<79>")


def test_a_command_may_be_typed_faster_than_its_prompt(standing: Person) -> None:
    standing.types("\x01cpower off\r")
    standing.sees("the power is cut")
    standing.types("k")
    standing.types("\x01cpower on\rn")
    standing.sees("it is on, and ready after")


def test_lines_of_our_own_stand_apart_from_the_guest_s(standing: Person) -> None:
    standing.types("\x01cwhere\r")
    said = standing.sees("port 22/tcp: 127.0.0.1:40022")
    assert "\r\nweb interface: http://127.0.0.1:40080/" in said
    assert "secret" not in said


def test_a_crash_is_named_and_the_machine_stays(standing: Person) -> None:
    standing.types("p")
    standing.sees("gokrazy: the kernel gave up")
    standing.types("n")
    standing.sees("<6e>")


def test_scripts_command_the_same_machine(standing: Person) -> None:
    with socket.socket(socket.AF_UNIX) as there:
        there.connect(str(standing.folder / "ctl"))
        there.sendall(json.dumps({"words": ["reboot"], "folder": "/"}).encode() + b"\n")
        assert json.loads(there.makefile().readline())["ok"]


@pytest.mark.parametrize(
    ("end", "status"),
    [
        pytest.param(lambda person: person.types("\x01x"), 0, id="key"),
        pytest.param(lambda person: person.signals(signal.SIGTERM), 128 + signal.SIGTERM, id="SIGTERM"),
        pytest.param(lambda person: person.signals(signal.SIGHUP), 128 + signal.SIGHUP, id="SIGHUP"),
        pytest.param(lambda person: person.signals(signal.SIGINT), 130, id="exception"),
        pytest.param(lambda person: person.types("o"), 0, id="guest gone"),
        pytest.param(lambda person: person.types("\x01cquit\r"), 0, id="quit"),
    ],
)
def test_the_terminal_is_as_it_was_however_it_ends(
    end: Callable[[Person], None], status: int, person: Person
) -> None:
    person.types("w")
    person.sees("odd modes")
    assert person.is_raw()
    end(person)
    said = person.leaves(status)
    # What the guest had switched on, and could not switch off any more.
    assert "\x1b[?25h\x1b[?1049l\x1b[0m" in said
    assert "2004" not in said
    assert not (person.folder / "ctl").exists()


def test_a_signal_at_the_prompt_leaves_the_terminal_as_it_was(person: Person) -> None:
    person.types("\x01c")
    person.sees("mine> ")
    person.signals(signal.SIGTERM)
    person.leaves(128 + signal.SIGTERM)


def test_modes_are_followed_over_pieces() -> None:
    modes = GuestModes()
    for piece in (b"text", b"\x1b[?10", b"49h", b"\x1b[?1000;1006h", b"\x1b[?1000l", b"\x1b[?25l\x1b[?7h"):
        modes.see(piece)
    assert modes.undo() == b"\x1b[?25h\x1b[?1006l\x1b[?1049l\x1b[0m"
    plain = GuestModes()
    plain.see(b"nothing but text \x07\r\n")
    assert plain.undo() == b""
