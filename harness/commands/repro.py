"""``gokharness repro``: a bundle, opened."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING

from harness.commands.arguments import Commands
from harness.commands.bundle import add_bundle, source_of

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance
    from harness.lab.lab import Lab


def add(commands: Commands) -> None:
    """Add it to the commands."""
    repro = add_bundle(commands, "repro", "stand where a test failed, by its bundle, and type at its console")
    how = repro.add_mutually_exclusive_group()
    how.add_argument("--from-start", action="store_true", help="boot it from power-on instead")
    how.add_argument("--rerun", action="store_true", help="run the test once more instead")
    repro.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Stand in front of the machine of a bundle until whoever does so leaves, or run its test."""
    from harness.bundle.repro import repro
    from harness.bundle.rerun import rerun
    from harness.hand.ctl import free_name
    from harness.hand.stay import Visit, stay
    from harness.hand.terminal import Terminal
    from harness.report.words import Words

    source, words = source_of(options), Words(options.command)
    if options.rerun:
        return rerun(source.read(), source.image, source.said)
    terminal = Terminal.of(sys.stdin, sys.stdout)
    say = terminal.say if terminal is not None else partial(print, flush=True)

    def show(lab: Lab, appliance: Appliance) -> None:
        name = free_name(appliance.image.hostname, given=False)
        visit = Visit(terminal, sys.stdout, words, boots=options.from_start)
        stay(lab, appliance, visit, name=name, title=f"{appliance.console.name}, of a bundle")

    repro(source, from_start=options.from_start, say=lambda line: say(words(line)), show=show)
    return 0
