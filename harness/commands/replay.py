"""``gokharness replay``: a recorded appliance, run again exactly."""

from __future__ import annotations

import argparse

from harness.commands.arguments import Commands
from harness.commands.bundle import add_bundle, source_of


def add(commands: Commands) -> None:
    """Add it to the commands."""
    replay = add_bundle(commands, "replay", "run a recorded appliance again, exactly, by the bundle of its test")
    text = "stop where the console says that, or at that second"
    replay.add_argument("--until", default="", metavar="PATTERN|SECONDS", help=text)
    replay.add_argument("--gdb", action="store_true", help="let gdb in there, or where the test failed")
    replay.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the machine of a bundle again, to its end, or to a moment at which gdb may stand."""
    from harness.bundle.replay import replay
    from harness.report.words import Words

    words = Words(options.command)

    def show(data: bytes) -> None:
        print(data.decode(errors="replace"), end="", flush=True)

    def say(line: str) -> None:
        print(words(line), flush=True)

    replay(source_of(options), until=options.until, gdb=options.gdb, say=say, show=show)
    return 0
