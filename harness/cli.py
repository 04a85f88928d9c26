"""The command ``gokharness``: the harness's abilities without writing a test."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from harness import __version__
from harness.commands import (
    boot,
    bootery,
    build,
    bump,
    cache,
    check,
    ctl,
    doctor,
    hardware,
    measure,
    replay,
    report,
    repro,
    run,
    streams,
)
from harness.commands.arguments import Parser
from harness.errors import Fault, HarnessError, OptionError

COMMANDS = (doctor, check, build, boot, run, hardware, measure, bump, report, ctl, repro, replay, bootery, cache)
"""In the order in which ``--help`` lists them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (0 fine, 1 appliance, 4 input, 10 harness, 11 host, 12 set-up).

    Besides 130 for Ctrl-C, and 141 where nobody reads what is printed any more.
    """
    streams.open_closed_ones()
    try:
        return _main(list(sys.argv[1:] if argv is None else argv))
    except BrokenPipeError:
        if not streams.reader_has_gone():
            raise
        streams.be_quiet()
        return streams.READER_GONE
    except KeyboardInterrupt:
        return 130


def _main(arguments: list[str]) -> int:
    passed_on: list[str] = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, passed_on = arguments[:at], arguments[at + 1 :]
    parser = parser_of_all()
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        parser.print_help()
        return Fault.USER.value
    options.passed_on = passed_on
    try:
        _must_take(passed_on, options.command)
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except HarnessError as error:
        return _said(error, options.command)
    except OSError as error:
        full = streams.no_room(error)
        if full is None:
            raise
        return _said(full, options.command)


def _must_take(passed_on: Sequence[str], command: str) -> None:
    """Raise OptionError for what follows -- where nobody would read it."""
    if passed_on:
        from harness.report.words import takes_more

        if not takes_more(command):
            raise OptionError(f"{command} takes nothing after --", where=" ".join(passed_on), hint="leave it out")


def _said(error: HarnessError, command: str) -> int:
    """Say what went wrong in the words of the command; returns the exit status."""
    from harness.report.words import Words

    print(f"gokharness: {Words(command)(str(error))}", file=sys.stderr)
    return int(error.fault.value)


def parser_of_all() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="gokharness",
        description="Test gokrazy appliances under QEMU.",
        epilog="Exit status: 0 fine, 1 appliance failed, 4 wrong input, 10 harness, 11 host, 12 set-up missing.",
    )
    parser.add_argument("--version", action="version", version=f"gokharness {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for command in COMMANDS:
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
