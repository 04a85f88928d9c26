"""``gokharness run``: a program built here, on a device at once."""

from __future__ import annotations

import argparse
import shlex

from harness import boards
from harness.commands.arguments import Commands, options_of, settings_of
from harness.errors import OptionError


def add(commands: Commands) -> None:
    """Add it to the commands."""
    parser = commands.add_parser(
        "run", help="boot an instance, run a program in place of a service without an update, show its log"
    )
    parser.add_argument("subject", metavar="INSTANCE")
    parser.add_argument("package", metavar="PACKAGE", help="a folder, or a package of the instance")
    parser.add_argument(
        "--flags", metavar="WORDS", default="", help="more flags for the program, as a shell has them"
    )
    parser.add_argument("--name", metavar="NAME", help="what ctl calls this machine (default: its host name)")
    parser.add_argument("--seconds", metavar="N", type=float, help="end after so long (default: at Ctrl-C)")
    parser.add_argument(
        "--cold",
        dest="gk_warm",
        action="store_const",
        const="off",
        default="persist",
        help="boot it anew (default: from a snapshot, which is kept for the next time)",
    )
    options_of("run", parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Boot on the first board that fits, and show the log until whoever stands in front of it leaves."""
    from harness.build.subject import is_image
    from harness.hand.boot import Asked
    from harness.hand.run import FOREVER, Program, run_program
    from harness.lab.lab import Lab
    from harness.report.places import must_take_machines
    from harness.report.words import Words

    if is_image(options.subject):
        raise OptionError("this is a finished image", where=options.subject, hint="name its instance")
    try:
        flags = shlex.split(options.flags)
    except ValueError as error:
        raise OptionError(f"--flags {options.flags!r} cannot be read: {error}") from None
    settings, words = settings_of(options), Words(options.command)
    asked = Asked(options.subject, options.name or "", warm=settings.warm == "persist")
    must_take_machines(settings)
    program = Program(options.package, flags, options.seconds or FOREVER)
    with Lab(settings, say=lambda line: print(words(line), flush=True)) as lab:
        if not lab.boards:
            raise OptionError("no board fits this instance", hint=f"boards: {', '.join(boards.names())}")
        run_program(lab, lab.boards[0], asked, program, words)
    return 0
