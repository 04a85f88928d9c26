"""What the commands of gokharness have in common: the parser, and the options that they share with pytest."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn, TypeAlias

from harness.build.subject import option_of
from harness.errors import Fault
from harness.option import Option
from harness.options import OPTIONS, Settings, must_be_readable, settings_from

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"
"""What a command adds itself to."""


class Parser(argparse.ArgumentParser):
    """Ends with our status for wrong input: argparse's own means something else."""

    def error(self, message: str) -> NoReturn:
        """Say how it is used and what is wrong."""
        self.print_usage(sys.stderr)
        hint = "\n  to do: give pytest's options after --" if "--gk-" in message and " --" not in self.prog else ""
        self.exit(Fault.USER.value, f"{self.prog}: {message}{hint}\n")


def options_of(command: str, parser: argparse.ArgumentParser, epilog: str | None = None) -> None:
    """Add the options that this command has as flags of its own."""
    parser.epilog = "After --, pytest's own: -- --gk-timestamp 2026-01-31T12:00:00Z" if epilog is None else epilog
    for option in OPTIONS:
        if command in option.commands:
            _add(parser, option, option.flag_of(command))


def _add(parser: argparse.ArgumentParser, option: Option, flag: str) -> None:
    if option.kind == "flag":
        parser.add_argument(flag, dest=option.ini, action="store_const", const=True, help=option.help)
        return
    parser.add_argument(
        flag,
        dest=option.ini,
        action="append" if option.kind in ("list", "lines") else "store",
        metavar="|".join(option.choices) or option.metavar,
        help=option.help,
    )


def said(options: argparse.Namespace) -> dict[str, object]:
    """What the command line says, by the options' ini names, with paths made absolute."""
    given = dict(vars(options))
    if subject := given.get("subject"):
        given[option_of(subject)] = subject
    return {option.ini: option.located(given.get(option.ini), Path.cwd()) for option in OPTIONS}


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings of a command that runs without pytest, and takes pytest's flags after ``--`` all the same."""
    typed = " ".join(filter(None, ("gokharness", options.command, getattr(options, "subject", ""), "--")))
    after = Parser(prog=typed, add_help=False, allow_abbrev=False)
    for option in OPTIONS:
        _add(after, option, option.flag)
    more = vars(after.parse_args(options.passed_on))
    settings = settings_from(
        {**said(options), **{name: value for name, value in more.items() if value is not None}}
    )
    must_be_readable(settings)
    return settings
