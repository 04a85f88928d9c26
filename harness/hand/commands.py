"""The commands for a machine by hand, as data: the prompt at the console and ``gokharness ctl`` have the same."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import OptionError
from harness.hand.hand import Hand


@dataclass(frozen=True)
class Command:
    """One command: its name may have two words, its arguments are what the action takes."""

    name: str
    act: Callable[..., str]
    help: str
    arguments: tuple[str, ...] = ()
    at_once: bool = False
    """Whether it does not wait for the command before it to end."""

    @property
    def usage(self) -> str:
        """How it is typed."""
        return " ".join([self.name, *self.arguments])


def _help(_: Hand) -> str:
    return table()


COMMANDS = (
    Command("help", _help, "show these commands", at_once=True),
    Command("where", Hand.where, "show how to reach web interface, SSH and ports", at_once=True),
    Command("wait", Hand.wait, "wait until the appliance is ready"),
    Command("reboot", Hand.reboot, "ask the appliance to reboot, and wait until it is ready"),
    Command("power off", Hand.power_off, "cut the power", at_once=True),
    Command("power on", Hand.power_on, "switch it on, and wait until it is ready"),
    Command("checkpoint", Hand.checkpoint, "keep disk and memory under a name", ("NAME",)),
    Command("rewind", Hand.rewind, "return to a checkpoint, whatever happened since", ("NAME",)),
    Command("screenshot", Hand.screenshot, "keep a picture of the screen, PNG or PPM", ("FILE",), at_once=True),
    Command("update", Hand.update, "build an instance or take an image, and update to it", ("SOURCE",)),
    Command(
        "run", Hand.run, "build a program, and run it in place of its service until the next boot", ("PACKAGE",)
    ),
    Command("flip", Hand.flip, "switch to the slot that ran before the update, and reboot"),
    Command("link down", Hand.link_down, "pull the network cable", at_once=True),
    Command("link up", Hand.link_up, "plug the network cable in", at_once=True),
    Command("ssh", Hand.ssh, "start breakglass, and show the command for SSH"),
    Command("quit", Hand.quit, "end the machine", at_once=True),
)
FILES = ("FILE", "SOURCE")
"""Arguments that name a file or a folder of this host; SOURCE may be the name of an instance as well."""

PACKAGE = "PACKAGE"
"""An argument that names a folder of this host, or a Go package."""


@dataclass(frozen=True)
class Order:
    """A command with its arguments, checked."""

    command: Command
    arguments: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """As it is typed, with absolute paths."""
        return [*self.command.name.split(), *self.arguments]


def table() -> str:
    """All commands, for a reader in front of a terminal."""
    return "\n".join(f"{command.usage:17} {command.help}" for command in COMMANDS)


def split(line: str) -> list[str]:
    """The words of a line, as a shell has them; raises OptionError."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise OptionError(f"this line cannot be read: {error}", hint="close each quotation mark") from None


def parse(words: Sequence[str], folder: Path) -> Order:
    """The command that these words are, with paths that begin at ``folder``; raises OptionError."""
    found = next((one for one in COMMANDS if one.name.split() == list(words[: len(one.name.split())])), None)
    if found is None:
        raise _unknown(words)
    given = words[len(found.name.split()) :]
    if len(given) != len(found.arguments):
        raise OptionError(
            f"{' '.join(words)!r} has too {'few' if len(given) < len(found.arguments) else 'many'} words",
            hint=f"type: {found.usage}",
        )
    if "" in given:
        raise OptionError(
            f"{found.name}: {found.arguments[given.index('')]} is empty", hint=f"type: {found.usage}"
        )
    return Order(
        found, tuple(_located(kind, word, folder) for kind, word in zip(found.arguments, given, strict=True))
    )


def _unknown(words: Sequence[str]) -> OptionError:
    typed = " ".join(words[:2])
    alike = [one.usage for one in COMMANDS if words and one.name.split()[0] == words[0]]
    if not alike:
        names = difflib.get_close_matches(words[0] if words else "", [one.name for one in COMMANDS], n=1)
        alike = [one.usage for one in COMMANDS if one.name in names]
    hint = f"did you mean: {' or '.join(alike)}" if alike else f"commands: {', '.join(c.name for c in COMMANDS)}"
    return OptionError(f"there is no command {typed!r}" if words else "no command is given", hint=hint)


def _located(kind: str, word: str, folder: Path) -> str:
    if kind not in (*FILES, PACKAGE):
        return word
    try:
        path = folder / Path(word).expanduser()
    except RuntimeError as error:
        raise OptionError(f"{kind} {word}: {error}", hint="write the path out") from None
    if kind == PACKAGE:
        return str(path) if path.is_dir() else word
    # The name of an instance that gok knows is no path.
    return word if kind == "SOURCE" and "/" not in word and not path.exists() else str(path)


def carry_out(hand: Hand, order: Order) -> str:
    """Do it, in its turn, and return what a reader is to know; raises what went wrong."""
    if order.command.at_once:
        return order.command.act(hand, *order.arguments)
    with hand.turn():
        return order.command.act(hand, *order.arguments)
