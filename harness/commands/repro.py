"""``gokharness repro``: a bundle, opened."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import Commands, options_of
from harness.options import OPTIONS

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance


def add(commands: Commands) -> None:
    """Add it to the commands."""
    repro = commands.add_parser("repro", help="stand where a test failed, by its bundle, until Ctrl-C")
    repro.add_argument("bundle", metavar="BUNDLE")
    repro.add_argument("--image", metavar="FILE|INSTANCE", help="the image, where it is not found by itself")
    how = repro.add_mutually_exclusive_group()
    how.add_argument("--from-start", action="store_true", help="boot it from power-on instead")
    how.add_argument("--rerun", action="store_true", help="run the test once more instead")
    options_of("repro", repro, epilog="")
    repro.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Restore the machine of a bundle and show its console until Ctrl-C, or run its test."""
    from harness.bundle.repro import Asked, beside, read, repro
    from harness.bundle.rerun import rerun
    from harness.hand.show import show
    from harness.report.words import Words

    bundle, words = Path(options.bundle).expanduser().absolute(), Words(options.command)
    said = {one.ini: one.located(vars(options).get(one.ini), Path.cwd()) for one in OPTIONS}
    said["gk_artifacts"] = said["gk_artifacts"] or beside(bundle)
    asked = Asked(bundle, options.image or "", from_start=options.from_start, said=said)
    if options.rerun:
        return rerun(read(asked), asked.image, said)

    def say(line: str) -> None:
        print(words(line), flush=True)

    def shown(appliance: Appliance) -> None:
        def goes_on() -> bool:
            appliance.power.check()
            return appliance.power.is_on

        show(appliance.console, goes_on=goes_on, out=sys.stdout)

    repro(asked, say=say, show=shown)
    return 0
