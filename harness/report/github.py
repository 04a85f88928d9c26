"""What GitHub shows of a run: an annotation for each failure, and a summary of the job."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from harness.report.document import Document, Test

ACTIONS, SUMMARY = "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"
MOST = 10
"""Annotations of one kind that GitHub shows of a step."""
MOST_BYTES = 900_000
"""Of a summary; GitHub refuses one above 1 MiB as a whole."""


def annotation_lines(document: Document, environment: Mapping[str, str] = os.environ) -> list[str]:
    """The lines that make annotations, where GitHub runs this; a boot that failed in a fixture is one of them."""
    if environment.get(ACTIONS) != "true":
        return []
    reds = document.reds
    lines = [_annotation(one) for one in reds[:MOST]]
    if len(reds) > MOST:
        lines.append(f"::notice title=gokrazy::{len(reds) - MOST} more failures are in the report")
    return lines


def summarise(document: Document, path: Path) -> None:
    """Append a summary to the job's, in the file that GitHub names; raises OSError."""
    append("\n".join(summary(document)), path)


def append(markdown: str, path: Path) -> None:
    """Append Markdown to the summary of a job, as far as GitHub takes it; raises OSError."""
    text = markdown.encode(errors="replace")
    with path.open("ab") as file:
        file.write(text[:MOST_BYTES].decode(errors="ignore").encode() + b"\n")


def errors(found: Sequence[tuple[str, str]], what: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """The lines that make an annotation of each title with its text, where GitHub runs this."""
    if environment.get(ACTIONS) != "true":
        return []
    lines = [f"::error title={_property(title)}::{_data(text)}" for title, text in found[:MOST]]
    if len(found) > MOST:
        lines.append(f"::notice title=gokrazy::{len(found) - MOST} more {what}")
    return lines


def summary(document: Document) -> Iterable[str]:
    """The run in Markdown, failures first; what a device said stands in code, where nothing is markup."""
    yield f"### gokrazy: {document.title}\n"
    yield ", ".join(f"{count} {name}" for name, count in document.counts.items()) + "\n"
    reds = document.reds
    if reds:
        yield "| test | board | why |\n| --- | --- | --- |"
        yield from (f"| {_code(one.nodeid)} | {_code(one.board)} | {_code(one.what)} |" for one in reds)
        yield ""
    for one in reds:
        if one.hint or one.reproduce:
            yield f"<details><summary>{_code_html(one.nodeid)}</summary>\n"
            yield from (f"{title}: {_code(text)}\n" for title, text in _todo(one))
            yield "</details>\n"
    for name, seen in document.deviations.items():
        yield f"- known deviation {_code(f'{name}: {seen}')}"
    for row in document.console:
        yield f"- console [{_code(row['check'])}] {_code(row['what'])}"
    for reason, count in sorted(document.skipped.items()):
        yield f"- skipped {count}x {_code(reason)}"


def _todo(one: Test) -> list[tuple[str, str]]:
    rows = [("To do", one.hint), ("Where", one.where), ("Again", one.reproduce)]
    return [(title, text) for title, text in rows if text]


def _annotation(one: Test) -> str:
    title = f"{one.nodeid} ({one.board})" if one.board and f"[{one.board}" not in one.nodeid else one.nodeid
    said = "\n".join([one.what, *(f"{name}: {text}" for name, text in _todo(one))])
    place = f"file={_property(one.file)},line={one.line}," if one.file else ""
    return f"::error {place}title={_property(title)}::{_data(said)}"


def _data(text: str) -> str:
    """What stands behind the two colons of a workflow command, in which a line's end would end the command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _code(text: str) -> str:
    """The text as code in a table's cell; backquotes and bars would end one or the other."""
    flat = " ".join(text.split()).replace("`", "\N{MODIFIER LETTER GRAVE ACCENT}").replace("|", "\N{BROKEN BAR}")
    return f"`{flat[:400]}`" if flat else ""


def _code_html(text: str) -> str:
    return f"<code>{escape(' '.join(text.split()), quote=False)}</code>"
