"""The socket of a machine by hand: a program sends one command as a line of JSON, and gets one line back.

It lies in the private folder of the run (0700), which the run's guard removes when the run ends, however that is.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from harness.errors import HarnessError, OptionError
from harness.hand.commands import Order, carry_out, parse
from harness.hand.hand import Hand
from harness.machine.run_dir import PREFIX, runtime_base

SOCKET = "ctl"
FACTS = "ctl.json"
LONGEST = 1 << 16
"""Bytes of a command."""
LAST_ANSWERS = 2.0
"""Seconds for answers on their way when the machine ends."""
NONE = "no machine runs by hand"


@dataclass(frozen=True)
class Running:
    """A machine that takes commands."""

    name: str
    title: str
    """What it is, for a reader who has to choose."""
    socket: Path


class Desk:
    """Takes commands for one machine, within a ``with`` block; ``folder`` is private and lives with the run."""

    def __init__(self, hand: Hand, folder: Path, *, title: str) -> None:
        self._hand = hand
        self._path = folder / SOCKET
        self._facts = folder / FACTS
        self._facts.write_text(json.dumps({"name": hand.name, "title": title}))
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self._path))
        self._answering: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, name="hand-desk", daemon=True)

    def __enter__(self) -> Self:
        self._server.listen()
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)
        self._facts.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            # Closing alone would not wake the one who accepts.
            self._server.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._server.close()
        until = time.monotonic() + LAST_ANSWERS
        for thread in self._answering:
            thread.join(max(0.0, until - time.monotonic()))

    def _accept(self) -> None:
        while True:
            try:
                asker, _ = self._server.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._answer, args=(asker,), name="hand-answer", daemon=True)
            self._answering = [one for one in self._answering if one.is_alive()] + [thread]
            thread.start()

    def _answer(self, asker: socket.socket) -> None:
        with asker, asker.makefile("rwb") as line, contextlib.suppress(OSError):
            # Who only looks whether anybody is there asks nothing.
            if asked := line.readline(LONGEST):
                line.write(json.dumps(answer_to(self._hand, asked)).encode() + b"\n")


def answer_to(hand: Hand, line: bytes) -> dict[str, object]:
    """Carry out what a line asks for; the answer says whether that was done (``ok``), and what came of it."""
    began = time.monotonic()
    answer: dict[str, object] = {"machine": hand.name}
    try:
        order = _read(line)
        answer["command"] = order.command.name
        answer |= {"ok": True, "said": carry_out(hand, order)}
    except HarnessError as error:
        answer |= {"ok": False, "error": hand.words(str(error))}
    except Exception as error:
        # Whoever asked must get an answer, also to what nobody has thought of.
        answer |= {"ok": False, "error": f"{type(error).__name__}: {error}"}
    return {**answer, "seconds": round(time.monotonic() - began, 1)}


def _read(line: bytes) -> Order:
    try:
        asked = json.loads(line)
        words, folder = [str(word) for word in asked["words"]], Path(str(asked["folder"]))
    except (ValueError, TypeError, KeyError) as error:
        raise OptionError(
            "this is no command", hint='send one line: {"words": ["reboot"], "folder": "/"}', evidence=repr(error)
        ) from None
    return parse(words, folder)


def running(base: Path | None = None) -> list[Running]:
    """The machines of this user that take commands, by name."""
    found = []
    for path in sorted((base or runtime_base()).glob(f"{PREFIX}*/{SOCKET}")):
        with contextlib.suppress(OSError, ValueError, KeyError), socket.socket(socket.AF_UNIX) as here:
            if path.parent.stat().st_uid != os.getuid():
                continue
            # What a host left that lost its power answers nobody.
            here.connect(str(path))
            facts = json.loads(path.with_name(FACTS).read_text())
            found.append(Running(facts["name"], facts["title"], path))
    return sorted(found, key=lambda one: one.name)


def free_name(wanted: str, *, given: bool) -> str:
    """A name that no machine has: the one that is wanted, or with a number; raises OptionError if it was given."""
    names = {one.name for one in running()}
    if wanted not in names:
        return wanted
    if given:
        raise OptionError(f"a machine of the name {wanted!r} runs already", hint="give another --name")
    return next(name for number in range(2, len(names) + 3) if (name := f"{wanted}-{number}") not in names)


def chosen(name: str | None) -> Running:
    """The machine of this name, or the only one; raises OptionError that names those there are."""
    found = running()
    there = "; ".join(f"{one.name} ({one.title})" for one in found)
    if not found:
        raise OptionError(NONE, hint="start one with gokharness boot INSTANCE|IMAGE")
    fitting = [one for one in found if name in (None, one.name)]
    if not fitting:
        raise OptionError(f"no machine of the name {name!r} runs by hand", hint=f"those that do: {there}")
    if len(fitting) > 1:
        raise OptionError(f"{len(fitting)} machines run by hand", hint="name one with --name", evidence=there)
    return fitting[0]


def ask(machine: Running, words: Sequence[str], *, say: Callable[[str], None]) -> bool:
    """Have it do this and say its answer, a line of JSON; returns whether it was done. Raises OptionError.

    It takes as long as the command does.
    """
    order = parse(words, Path.cwd())
    with socket.socket(socket.AF_UNIX) as there:
        line = b""
        with contextlib.suppress(OSError):
            there.connect(str(machine.socket))
            there.sendall(json.dumps({"words": order.words, "folder": str(Path.cwd())}).encode() + b"\n")
            with there.makefile("rb") as answer:
                line = answer.readline()
    if not line:
        gone: dict[str, Any] = {"machine": machine.name, "command": order.command.name, "ok": False}
        line = json.dumps({**gone, "error": "the machine ended before it answered"}).encode()
    say(line.decode().rstrip("\n"))
    return bool(json.loads(line)["ok"])
