"""How to run one test of a run again: a line to copy, in the words of the command that was typed."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.boards import DEVICE
from harness.option import Option
from harness.options import OPTIONS
from harness.report.words import Words
from harness.run.repeat import without_number

_OF_THE_RUN = ("board", "artifacts", "report-json", "history", "shard", "repeat", "list", "strict")
"""Options that say which tests run or where results go; a line for one test says that itself, or needs it not."""
_SUBJECT = ("instance", "image")
_PARAMETERS = re.compile(r"\[.*\]$")


@dataclass(frozen=True)
class Typed:
    """What was typed, as far as one test depends on it."""

    command: str = ""
    """The command of gokharness, "" for pytest."""
    root: str = ""
    """The path from where it was typed to the folder at which test ids begin."""
    said: tuple[tuple[str, str], ...] = ()
    """Options by name and value; "" for a flag."""

    def line(self, nodeid: str, board: str) -> str:
        """The command that runs this test alone."""
        nodeid = without_number(nodeid)
        values = [(option, value) for name, value in self.said for option in OPTIONS if option.name == name]
        if board and board != DEVICE:
            values.insert(0, (next(one for one in OPTIONS if one.name == "board"), board))
        if not self.command:
            path, _, name = nodeid.partition("::")
            test = f"{os.path.normpath(Path(self.root) / path)}::{name}" if name else nodeid
            return shlex.join(["pytest", test, *_flags(values, lambda option: option.flag)])
        subject = [value for option, value in values if option.name in _SUBJECT]
        rest = [one for one in values if one[0].name not in _SUBJECT]
        own = [one for one in rest if self.command in one[0].commands]
        others = [one for one in rest if self.command not in one[0].commands]
        test = _PARAMETERS.sub("", nodeid.rpartition("::")[2])
        return shlex.join(
            [
                *("gokharness", self.command, *subject),
                *_flags(own, lambda option: option.flag_of(self.command)),
                *("--", "-k", test),
                *_flags(others, lambda option: option.flag),
            ]
        )


def typed(config: pytest.Config, words: Words) -> Typed:
    """What was typed to start this run; an ini file is read again and needs no repeating."""
    said: list[tuple[str, str]] = []
    for option in OPTIONS:
        value = config.getoption(option.ini)
        if value is None or option.name in _OF_THE_RUN:
            continue
        for one in value if isinstance(value, list) else [value]:
            said.append((option.name, "" if one is True else str(one)))
    root = os.path.relpath(config.rootpath, config.invocation_params.dir)
    return Typed(words.command, root, tuple(said))


def _flags(values: list[tuple[Option, str]], flag: Callable[[Option], str]) -> list[str]:
    """Each option as it is typed; a value that looks like a flag is joined to its own."""
    words: list[str] = []
    for option, value in values:
        name = flag(option)
        words += [f"{name}={value}"] if value.startswith("-") else [name, value] if value else [name]
    return words
