"""``gokharness check``: the scenarios, run against an instance or a finished image."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.arguments import Commands, options_of, said
from harness.lab.recordable import must_be_recordable
from harness.options import as_flags, settings_from


def add(commands: Commands) -> None:
    """Add it to the commands."""
    check = commands.add_parser("check", help="run the scenarios against an instance or a finished image")
    check.add_argument("subject", metavar="INSTANCE|IMAGE")
    check.add_argument("--junit", metavar="FILE", help="write the results as JUnit XML")
    options_of("check", check, epilog="What follows -- goes to pytest: -- -k boots --gk-tier all")
    check.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run pytest over the shipped scenarios, with this command's options as pytest's."""
    import pytest

    from harness.package_data import scenarios_folder
    from harness.report.words import Words

    values = said(options)
    # An error is reported here, before pytest wraps it into its own usage message.
    must_be_recordable(settings_from(values))
    arguments = [
        "--rootdir",
        str(Path.cwd()),
        "-c",
        "/dev/null",
        "-p",
        "no:cacheprovider",
        *as_flags(values),
    ]
    if options.junit:
        arguments.append(f"--junitxml={Path(options.junit).expanduser().absolute()}")
    return int(pytest.main([*arguments, *options.passed_on, str(scenarios_folder())], [Words(options.command)]))
