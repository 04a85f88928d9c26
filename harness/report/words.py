"""Messages name options by pytest's flags; here they get the flags of the command that the user typed.

Whoever raises or notes something writes ``--gk-builder``; a user of gokharness reads ``--builder``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from harness.build.request import COMMANDS
from harness.errors import HarnessError, causes
from harness.options import OPTIONS

_FLAG = re.compile(r"(?<![\w-])--gk-[a-z]+(?:-[a-z]+)*")
_SUBJECT = {"--gk-instance": "INSTANCE", "--gk-image": "IMAGE"}
"""What the commands that build take as a word of its own, by the names of their usage."""
_COMMAND = "gk_command"
"""The command that was typed, as the controller hands it to a worker."""


def takes_more(command: str) -> bool:
    """Whether a command of gokharness takes pytest's options after ``--``; the others speak of runs of pytest."""
    return command in (*COMMANDS, "bootery")


@dataclass(frozen=True)
class Words:
    """The flags of ``gokharness COMMAND``, or of pytest for ""; pytest knows them as a plugin."""

    command: str = ""

    def __call__(self, text: str) -> str:
        """The text with this command's flags."""
        if not self.command:
            return text
        known = [option for option in OPTIONS if takes_more(self.command) or self.command in option.commands]
        flags = {option.flag: option.flag_of(self.command) for option in known}
        if self.command in COMMANDS:
            flags |= _SUBJECT
        return _FLAG.sub(lambda found: flags.get(found[0], found[0]), text)

    def reword(self, error: BaseException | None) -> None:
        """Put an error, what caused it, or the reason of a skip into these words."""
        if isinstance(error, pytest.skip.Exception) and error.msg is not None:
            error.msg = self(error.msg)
        for one in causes(error):
            if isinstance(one, HarnessError):
                one.what, one.where, one.hint = self(one.what), self(one.where), self(one.hint)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: pytest.Item) -> None:
        """Have a worker of pytest-xdist use the same words."""
        node.workerinput[_COMMAND] = self.command  # type: ignore[attr-defined]


def words_of(config: pytest.Config) -> Words:
    """The words of whoever started this run of pytest."""
    command = getattr(config, "workerinput", {}).get(_COMMAND, "")
    return next((one for one in config.pluginmanager.get_plugins() if isinstance(one, Words)), Words(command))
