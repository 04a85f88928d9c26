"""``gokharness measure``: how small and how fast an image is."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from harness.commands.arguments import Commands, options_of, settings_of

if TYPE_CHECKING:
    from harness.lab.sizes import Size

COLUMNS = (
    ("image", "image"),
    ("board", "board"),
    ("init", "s to init"),
    ("dhcp", "s to DHCP"),
    ("http", "s to HTTP"),
    ("memory", "MiB at rest"),
    ("least", "least MiB"),
    ("root", "MiB of root"),
    ("bootfs", "MiB of boot"),
)
"""What is shown of each row, and how it is called."""


def add(commands: Commands) -> None:
    """Add it to the commands."""
    measure = commands.add_parser("measure", help="boot an instance or image, and print how small and fast it is")
    measure.add_argument("subject", metavar="INSTANCE|IMAGE", nargs="?", help="default: the project's own images")
    measure.add_argument("--json", action="store_true", help="print JSON")
    measure.add_argument("--markdown", action="store_true", help="print a Markdown table")
    measure.add_argument("--quick", action="store_true", help="do not look for the least memory: many starts")
    options_of("measure", measure, epilog="Status: 1 where a board does not boot it. Seconds are from power-on.")
    measure.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure on each board, and print a table."""
    from harness.lab.lab import Lab
    from harness.lab.sizes import measure
    from harness.report.places import must_take_machines
    from harness.report.words import Words

    settings, words = settings_of(options), Words(options.command)
    must_take_machines(settings)
    with Lab(settings, say=lambda line: print(words(line), file=sys.stderr, flush=True)) as lab:
        rows = []
        for board in lab.boards:
            rows.append(measure(lab, board, least=not options.quick))
            lab.journal.say(table(rows[-1:]).splitlines()[1])
    if options.json:
        print(json.dumps([row.as_json() for row in rows], indent=2))
    else:
        print(table(rows, markdown=options.markdown))
    return int(any(row.why for row in rows))


def table(rows: list[Size], *, markdown: bool = False) -> str:
    """The rows under their heads, aligned for a terminal; or as Markdown."""
    lines = [[head for _, head in COLUMNS], *([_cell(getattr(row, name)) for name, _ in COLUMNS] for row in rows)]
    if markdown:
        marks = ["---" if name in ("image", "board") else "---:" for name, _ in COLUMNS]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in (lines[0], marks, *lines[1:]))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(
            f"{cell:<{width}}" if at < 2 else f"{cell:>{width}}"
            for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        for cells in lines
    ]
    return "\n".join([*(line.rstrip() for line in text), *(f"{row.board}: {row.why}" for row in rows if row.why)])


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
