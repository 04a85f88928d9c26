"""The rows for people, for a pull request, and for machines."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from xml.etree import ElementTree

from harness.bump.bump import Sides
from harness.bump.compare import Row, Verdict

_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
ORDER = (Verdict.WORSE, Verdict.UNSEEN, Verdict.OTHER, Verdict.BETTER, Verdict.SAME)


def sentence(rows: Sequence[Row]) -> str:
    """The verdict in a line."""
    worse = [row for row in rows if row.is_regression]
    boards = len({row.board for row in rows})
    if worse:
        first = worse[0]
        return f"{len(worse)} of {len(rows)} rows are worse on {boards} boards; first {first.board}: {first.what}"
    unseen = sum(row.verdict is Verdict.UNSEEN for row in rows)
    looked = f"; {unseen} could not be looked at" if unseen else ""
    return f"no regression in {len(rows)} rows on {boards} boards{looked}"


def text(rows: Sequence[Row]) -> str:
    """A table for a terminal: what differs with its reason, the rest by name."""
    lines = []
    width = max((len(row.what) for row in rows), default=0)
    for row in ordered(rows):
        lines.append(f"{row.verdict:8}  {row.board:10}  {row.what:{min(width, 44)}}  {_why(row)}".rstrip())
    return "\n".join([*lines, "", sentence(rows)])


def markdown(rows: Sequence[Row], what: Sides) -> str:
    """The same for a pull request: what differs as a table, the rest folded."""
    head = [f"**{sentence(rows)}**", "", f"Old: {_code(what.old_title)}, new: {_code(what.new_title)}", ""]
    differs = [row for row in ordered(rows) if row.verdict is not Verdict.SAME]
    same = [row for row in rows if row.verdict is Verdict.SAME]
    body = [*_table(differs), ""] if differs else []
    if same:
        body += ["<details><summary>the same</summary>", "", *_table(same), "", "</details>"]
    return "\n".join([*head, *body, ""])


def as_json(rows: Sequence[Row], what: Sides) -> str:
    """All of it for machines."""
    found = {
        "old": {"title": what.old_title, "digest": what.old.digest, "kernel": what.old.kernel.release},
        "new": {"title": what.new_title, "digest": what.new.digest, "kernel": what.new.kernel.release},
        "regression": any(row.is_regression for row in rows),
        "rows": [asdict(row) for row in rows],
    }
    return json.dumps(found, indent=2)


def junit(rows: Sequence[Row], name: str) -> str:
    """The same as JUnit XML: a row is a test case of its board, and one that was not seen is a skipped one."""
    suite = ElementTree.Element("testsuite", name=name, tests=str(len(rows)), errors="0")
    suite.set("failures", str(sum(row.is_regression for row in rows)))
    suite.set("skipped", str(sum(row.verdict is Verdict.UNSEEN for row in rows)))
    for row in rows:
        case = ElementTree.SubElement(suite, "testcase", classname=f"bump.{row.board}", name=_xml(row.what))
        if row.is_regression:
            ElementTree.SubElement(case, "failure", message=_xml(row.why))
        elif row.verdict is Verdict.UNSEEN:
            ElementTree.SubElement(case, "skipped", message=_xml(row.why))
        elif why := _why(row):
            ElementTree.SubElement(case, "system-out").text = _xml(f"{row.verdict}: {why}")
    whole = ElementTree.Element("testsuites")
    whole.append(suite)
    return ElementTree.tostring(whole, encoding="unicode", xml_declaration=True)


def ordered(rows: Sequence[Row]) -> list[Row]:
    """Worse first, the same last."""
    return sorted(rows, key=lambda row: (bool(row.accepted), ORDER.index(row.verdict)))


def _why(row: Row) -> str:
    return f"{row.why} (accepted: {row.accepted})" if row.accepted else row.why


def _table(rows: Sequence[Row]) -> list[str]:
    cells = [f"| {row.verdict} | {row.board} | {_cell(row.what)} | {_cell(_why(row))} |" for row in rows]
    return ["| | board | what | |", "| --- | --- | --- | --- |", *cells]


def _cell(value: str) -> str:
    """Text of a device as a cell: it must not become markup."""
    for old, new in (("\\", "\\\\"), ("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("`", "\\`"), ("\n", " ")):
        value = value.replace(old, new)
    return value


def _xml(value: str) -> str:
    """What a device said, without the characters that XML cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", value)


def _code(value: str) -> str:
    return f"`{value.replace('`', '')}`"
