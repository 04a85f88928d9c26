"""``gokharness hardware``: what an image does with each part of each board."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace

from harness.commands.arguments import Commands, options_of, settings_of

STATUS = "Status: 1 where a board does not work by itself, or with parts that are named; else 0."


def add(commands: Commands) -> None:
    """Add it to the commands."""
    hardware = commands.add_parser(
        "hardware", help="boot an instance or image with each part of each board, and print what works"
    )
    hardware.add_argument("subject", metavar="INSTANCE|IMAGE")
    hardware.add_argument("--json", action="store_true", help="print JSON; each row goes to stderr as it is known")
    options_of("hardware", hardware, epilog=STATUS)
    hardware.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Boot with each part of each board, and print the matrix row by row."""
    from harness.lab.lab import Lab
    from harness.lab.matrix import matrix
    from harness.report.places import must_take_machines
    from harness.report.words import Words

    settings, words = settings_of(options), Words(options.command)
    must_take_machines(settings)
    out = sys.stderr if options.json else sys.stdout
    # The parts are tried one after the other, each beside the board's own hardware.
    lab = Lab(replace(settings, hardware=()), say=lambda line: print(words(line), file=out, flush=True))
    with lab:
        rows = matrix(lab, settings.hardware)
    if options.json:
        print(json.dumps([row.as_json() for row in rows], indent=2))
    return int(any(row.is_failure for row in rows))
