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
)
from harness.commands.arguments import Parser
from harness.errors import Fault, HarnessError

COMMANDS = (doctor, check, build, boot, run, hardware, measure, bump, report, ctl, repro, replay, bootery, cache)
"""In the order in which ``--help`` lists them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (0 fine, 1 appliance, 4 input, 10 harness, 11 host, 12 set-up)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
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
        return int(options.run(options))
    except HarnessError as error:
        from harness.report.words import Words

        print(f"gokharness: {Words(options.command)(str(error))}", file=sys.stderr)
        return int(error.fault.value)
    except KeyboardInterrupt:
        return 130


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
