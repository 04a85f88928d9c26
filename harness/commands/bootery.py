"""``gokharness bootery``: the protocol by which kernel repositories have a kernel tried on devices."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.arguments import Commands, options_of, settings_of

LISTEN = "127.0.0.1:8037"


def add(commands: Commands) -> None:
    """Add it to the commands."""
    bootery = commands.add_parser("bootery", help="try what gokrazy's kernel repositories send, on boards")
    bootery.add_argument("config", metavar="FILE", nargs="?", default="bootery.toml", help="default: bootery.toml")
    bootery.add_argument("--listen", metavar="ADDRESS:PORT", default=LISTEN, help=f"default: {LISTEN}")
    bootery.add_argument("--auth-file", metavar="FILE", help="file with the password of its clients, user gokrazy")
    options_of("bootery", bootery)
    bootery.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal asks to end."""
    from harness.bootery.serve import Service, serve
    from harness.report.places import must_take_machines
    from harness.report.words import Words

    settings, words = settings_of(options), Words(options.command)
    must_take_machines(settings)
    auth = Path(options.auth_file).expanduser() if options.auth_file else None
    service = Service(Path(options.config).expanduser(), options.listen, auth)
    serve(service, settings, say=lambda line: print(words(line), flush=True))
    return 0
