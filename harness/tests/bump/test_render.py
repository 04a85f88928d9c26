"""The verdict as text, as Markdown for a pull request, as JSON, and as a page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

from harness.bump.bump import Sides
from harness.bump.compare import Row, Verdict
from harness.bump.render import as_json, junit, markdown, sentence, text
from harness.report.comparison import comparison
from harness.tests.image.plain import PLAIN

WHAT = Sides(PLAIN, replace(PLAIN, digest="new"), "as the instance has it", "kernel@v2")
ROWS = [
    Row("virt", "boots", Verdict.SAME),
    Row("virt", "clock by rtc-pl031", Verdict.WORSE, "it is gone"),
    Row("pc-bios", "console: other lines", Verdict.OTHER, "new: <script>| `x`\nhe said"),
    Row("pc-bios", "configuration of the kernel", Verdict.UNSEEN, "it has no /proc/config.gz"),
]


def test_what_is_worse_comes_first_and_is_the_sentence() -> None:
    lines = text(ROWS).splitlines()
    assert lines[0].split() == ["worse", "virt", "clock", "by", "rtc-pl031", "it", "is", "gone"]
    assert lines[-1] == sentence(ROWS) == "1 of 4 rows are worse on 2 boards; first virt: clock by rtc-pl031"


def test_without_a_regression_it_says_what_was_not_seen() -> None:
    assert sentence([ROWS[0], ROWS[3]]) == "no regression in 2 rows on 2 boards; 1 could not be looked at"


def test_what_a_device_said_becomes_no_markup() -> None:
    page = markdown(ROWS, WHAT)
    assert "new: &lt;script>\\| \\`x\\` he said" in page
    assert page.index("it is gone") < page.index("<details>") < page.index("boots")


def test_accepted_is_no_regression_and_says_why() -> None:
    row = replace(ROWS[1], accepted="known, until 2027-01-31")
    assert "no regression" in sentence([row])
    assert "it is gone (accepted: known, until 2027-01-31)" in text([row])


def test_json_has_all_of_it() -> None:
    found: dict[str, Any] = json.loads(as_json(ROWS, WHAT))
    assert found["regression"] is True
    assert [row["verdict"] for row in found["rows"]] == ["same", "worse", "other", "not seen"]
    assert found["new"]["title"] == "kernel@v2"


def test_junit_has_a_case_for_each_row() -> None:
    odd = Row("virt", "console: warnings and errors", Verdict.WORSE, "new: \x1b[31mred\x00 \ud800")
    suite = ElementTree.fromstring(junit([*ROWS, odd], "gokharness bump"))[0]
    assert [suite.get(key) for key in ("tests", "failures", "skipped")] == ["5", "2", "1"]
    cases = {(case.get("classname"), case.get("name")): case for case in suite}
    failure = cases["bump.virt", "clock by rtc-pl031"].find("failure")
    assert failure is not None
    assert failure.get("message") == "it is gone"
    skipped = cases["bump.pc-bios", "configuration of the kernel"].find("skipped")
    assert skipped is not None
    assert list(cases["bump.virt", "boots"]) == []


def test_junit_counts_an_accepted_row_as_no_failure() -> None:
    row = replace(ROWS[1], accepted="known, until 2027-01-31")
    suite = ElementTree.fromstring(junit([row], "gokharness bump"))[0]
    assert suite.get("failures") == "0"
    assert "known, until 2027-01-31" in suite.findtext("testcase/system-out", "")


def test_the_page_names_what_is_worse_first_and_needs_nothing_else() -> None:
    page = comparison(ROWS, WHAT)
    assert page.lstrip().startswith("<!doctype html>")
    places = [page.index(text) for text in ("What got worse", "it is gone", "The same", "virt: boots")]
    assert places == sorted(places)
    assert "<script" not in page
    assert "new: &lt;script&gt;" in page
    assert "default-src &#39;none&#39;" in page
    assert not re.search(r"(?:src|href)=", page)
    assert "kernel@v2" in page


def test_a_page_without_a_regression_has_no_section_of_it() -> None:
    page = comparison([ROWS[0]], WHAT)
    assert "What got worse" not in page
    assert 'class="good"' in page
