"""``gokharness boot``: one machine by hand."""

from __future__ import annotations

import argparse
import sys

from harness import boards
from harness.commands.arguments import Commands, options_of, settings_of
from harness.errors import OptionError
from harness.options import OWN_ARGUMENTS


def add(commands: Commands) -> None:
    """Add it to the commands."""
    boot = commands.add_parser("boot", help="boot an instance or image, and type at its console")
    boot.add_argument("subject", metavar="INSTANCE|IMAGE")
    boot.add_argument("--name", metavar="NAME", help="what ctl calls this machine (default: its host name)")
    boot.add_argument(
        "--warm",
        dest="gk_warm",
        action="store_const",
        const="persist",
        help="start from a snapshot, which is kept for the next time; cold where the board allows none",
    )
    boot.add_argument(
        "--watch", action="store_true", help="when files of the instance change, build it and update the device"
    )
    options_of("boot", boot)
    boot.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Boot on the first board that fits, and stay until whoever stands in front of it leaves."""
    from harness.hand.boot import Asked, boot
    from harness.hand.stay import Visit
    from harness.hand.terminal import Terminal
    from harness.lab.lab import Lab
    from harness.report.places import must_take_machines
    from harness.report.words import Words

    settings, words = settings_of(options), Words(options.command)
    subject = str(settings.image or settings.instance)
    asked = Asked(subject, options.name or "", warm=settings.warm == "persist", watch=options.watch)
    must_take_machines(settings)
    terminal = Terminal.of(sys.stdin, sys.stdout)
    say = terminal.say if terminal is not None else print
    with Lab(settings, say=lambda line: say(words(line))) as lab:
        fitting = lab.boards
        if not fitting:
            raise OptionError("no board fits this image", hint=f"boards: {', '.join(boards.names())}")
        if settings.qemu_arg:
            lab.journal.say(f"gokrazy: WARNING: {OWN_ARGUMENTS}")
        if summary := settings.equipment.summary_on(fitting[0]):
            lab.journal.say(f"gokrazy: {fitting[0].name}: {summary}")
        boot(lab, fitting[0], asked, Visit(terminal, sys.stdout, words))
    return 0
