"""``gokharness report``: reports, merged."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.commands.arguments import Commands, options_of


def add(commands: Commands) -> None:
    """Add it to the commands."""
    report = commands.add_parser("report", help="merge the reports of shards, or of several runs, into one page")
    report.add_argument("sources", metavar="DIR|FILE", nargs="+", help="a folder with report.json, or such a file")
    report.add_argument("--out", metavar="FILE", default="report.html", help="the page (default: report.html)")
    report.add_argument("--json", metavar="FILE", help="write the merged report as JSON too")
    options_of("report", report, epilog="")
    report.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Merge reports by their JSON, and say what they come to; an unreadable one is an error, never left out."""
    from harness.report.charts import charts
    from harness.report.document import Document
    from harness.report.history import earlier
    from harness.report.page import write_page
    from harness.report.places import not_written

    whole = Document.merged(Document.read(Path(source).expanduser()) for source in options.sources)
    out = Path(options.out).expanduser()
    past = earlier(Path(options.gk_history).expanduser()) if options.gk_history else ()
    try:
        write_page(out, whole, charts(whole.boots, past, whole.limits))
        if options.json:
            whole.write(Path(options.json).expanduser())
    except OSError as error:
        raise not_written(error, out.parent, what="the report", flag="--out") from None
    print(f"{whole.title}: {out}")
    return whole.exit_status
