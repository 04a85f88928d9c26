"""The report as one HTML page that needs nothing else: what ran where, what failed, what the device said."""

from __future__ import annotations

from html import escape
from pathlib import Path

from harness.report.recorder import Recorder
from harness.report.summary import boot_table, console_lines, remarks, run_times, service_lines
from harness.run.outcome import Outcome

STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #ddd}
td.n{text-align:right;font-variant-numeric:tabular-nums}
.passed{color:#176b2c}.failed,.error{color:#b00020;font-weight:600}.skipped{color:#8a6d00}
pre{background:#f6f6f6;padding:.8rem;overflow:auto;font-size:12.5px}summary{cursor:pointer}
"""


def write_page(path: Path, recorder: Recorder) -> None:
    """Write the page of a run that is over."""
    rows = list(recorder.outcomes.values())
    counts = {kind: sum(row.outcome == kind for row in rows) for kind in ("passed", "failed", "error", "skipped")}
    title = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "nothing ran"
    deviations = [f"known deviation  {name}: {text}" for name, text in recorder.verdict.deviations.items()]
    services = [*console_lines(recorder.verdict.console), *service_lines(recorder.verdict.services)]
    tables = "\n".join([*boot_table(recorder.boots), *run_times(rows), *remarks(recorder), *deviations, *services])
    parts = [
        f"<!doctype html><meta charset=utf-8><title>gokrazy: {escape(title)}</title><style>{STYLE}</style>",
        f"<h1>{escape(title)}</h1><table>",
        *(f"<tr><th>{escape(name)}<td>{escape(value)}" for name, value in recorder.facts.items()),
        f"</table><pre>{escape(tables)}</pre><table><tr><th>test<th>outcome<th>seconds",
        *(_row(row) for row in rows),
        "</table>",
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts), encoding="utf-8")


def _row(row: Outcome) -> str:
    name = escape(row.nodeid)
    if row.error:
        sections = "".join(f"<h4>{escape(title)}</h4><pre>{escape(text)}</pre>" for title, text in row.sections)
        name = (
            f"<details><summary>{name}<br>{escape(row.reason)}</summary>"
            f"<pre>{escape(row.error)}</pre>{sections}</details>"
        )
    elif row.reason:
        name += f"<br><small>{escape(row.reason)}</small>"
    return f"<tr><td>{name}<td class={row.outcome}>{row.outcome}<td class=n>{row.seconds:.1f}"
