"""``gokharness doctor``: what this machine can do."""

from __future__ import annotations

import argparse
import sys

from harness.commands.arguments import Commands


def add(commands: Commands) -> None:
    """Add it to the commands."""
    doctor = commands.add_parser("doctor", help="report what this machine can do, and how to mend the rest")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Report what this machine can do."""
    from harness.host import doctor

    return doctor.run(options.json, sys.stdout)
