"""``gokharness ctl``: a machine that runs by hand, commanded."""

from __future__ import annotations

import argparse

from harness.commands.arguments import Commands


def add(commands: Commands) -> None:
    """Add it to the commands."""
    ctl = commands.add_parser(
        "ctl",
        help="command a machine that boot, repro, or pytest --gk-pause, runs",
        epilog="'gokharness ctl help' lists the commands. It answers a line of JSON. Status: 0 done, 1 not done.",
    )
    ctl.add_argument("--name", metavar="NAME", help="which machine, where several run")
    ctl.add_argument("words", nargs="+", metavar="COMMAND")
    ctl.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Have a machine that runs by hand do something, and print its answer, a line of JSON."""
    from harness.hand import commands, ctl

    words = options.words
    if words == ["help"]:
        print(commands.table())
        return 0
    return 0 if ctl.ask(ctl.chosen(options.name), words, say=print) else 1
