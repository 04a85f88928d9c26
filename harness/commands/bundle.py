"""What the commands that open a bundle have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.arguments import Commands, options_of, said

if TYPE_CHECKING:
    from harness.bundle.unpacked import Source


def add_bundle(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    """Add a command that opens a bundle, with what all of them take."""
    parser = commands.add_parser(name, help=text)
    parser.add_argument("bundle", metavar="BUNDLE")
    parser.add_argument("--image", metavar="FILE|INSTANCE", help="the image, where it is not found by itself")
    options_of(name, parser, epilog="")
    return parser


def source_of(options: argparse.Namespace) -> Source:
    """The bundle that is named, and what was said of it."""
    from harness.bundle.unpacked import Source, beside

    bundle = Path(options.bundle).expanduser().absolute()
    values = said(options)
    values["gk_artifacts"] = values["gk_artifacts"] or beside(bundle, options.command)
    return Source(bundle, options.image or "", values)
