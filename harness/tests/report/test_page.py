"""The page: what a device said is text there and never runs, what matters comes first, and it does not grow."""

from __future__ import annotations

import base64
import random
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from zipfile import ZipFile

import pytest

from harness.machine.screen import Picture
from harness.report import page
from harness.report.charts import charts
from harness.report.document import Document, Test
from harness.report.page import FOLDER, html
from harness.tests.outside import ROOT, clean_environment
from harness.tests.report.samples import EVIL, console, failure, images, run_of_each_kind, screen, story


class Reader(HTMLParser):
    """Takes a page apart as a browser does: elements with their attributes, and what stands in scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.said = ""
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "script":
            self.scripts[-1] += data
        elif self._in != "style":
            self.said += data


@pytest.fixture(scope="module")
def sample() -> str:
    return html(run_of_each_kind(), charts(run_of_each_kind().boots))


@pytest.mark.parametrize(
    "said",
    [
        EVIL,
        "<script>alert(1)</script>",
        "</script><script>alert(1)</script>",
        "]]><!--<script>",
        "' onload='alert(1)' \" onload=\"alert(1)\" x='",
        "javascript:alert(1)",
        "{{ 7 * 7 }}{% for x in y %}",
    ],
)
def test_what_a_device_says_is_text_wherever_it_stands(said: str) -> None:
    red = failure(1, said, said, said, where=said, hint=said, reproduce=said, error=said, sections=[(said, said)])
    red.nodeid = red.file = red.board = said
    red.properties = {said: said}
    red.story = story(5.0)
    red.story["console"] = [[1.0, "program", said]]
    red.story["happenings"] = [{"at": 1.0, "lane": "notes", "text": said}]
    document = Document(tests=[red], deviations={said: said}, skipped={said: 1}, left_out={said: 1})
    document.runs = run_of_each_kind().runs
    document.runs[0].facts, document.runs[0].notes = {said: said}, [said]
    document.images = [{**images()[0], "hostname": said, "digest": said, "notes": [said], "boot_loader": said}]
    document.images[0]["modules"] = [{"path": said, "version": said, "licences": [said]}]
    text = html(document)
    found, plain = Reader(text), Reader(html(Document(tests=[failure(1, "x", "x", "x")])))
    assert len(found.scripts) == 2, "the data and the page's own script"
    assert found.scripts[1] == plain.scripts[1]
    assert {tag for tag, _ in found.elements} <= {tag for tag, _ in Reader(html(run_of_each_kind())).elements}
    for tag, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "href")]
        assert tag == "img" or "src" not in attributes
    assert found.said.count(said) > 8
    assert "<" not in found.scripts[0]
    assert "49" not in found.said or "49" in said


def test_nothing_runs_and_nothing_is_loaded_but_what_the_policy_names(sample: str) -> None:
    found = Reader(sample)
    policy = next(
        attributes["content"]
        for tag, attributes in found.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/=]{44}'", rules["script-src"])
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/=]{44}'", rules["style-src"])
    assert rules["require-trusted-types-for"] == "'script'"
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", "".join(found.scripts[1:]))
    assert not re.search(r"@import|url\(", (FOLDER / "page.css").read_text())


def test_the_script_sets_text_and_makes_no_markup_of_it() -> None:
    script = (FOLDER / "page.js").read_text()
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        'setTimeout("',
    ):
        assert way not in script
    assert "</" not in script


def test_controls_and_turned_writing_are_shown_as_what_they_are() -> None:
    red = failure(1, "WaitTimeout", "APPLIANCE", "a\x1b[31mb\u202ec\x00d", error="\udcff")
    red.story["happenings"] = [{"at": 0.0, "lane": "notes", "text": "x\u2066y"}]
    text = html(Document(tests=[red]))
    assert "a\ufffd[31mb\ufffdc\ufffdd" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\udcff]", text)
    assert "\\u2066" not in text


def test_failures_come_first_with_their_cause_what_to_do_and_a_line_to_copy() -> None:
    document = run_of_each_kind()
    found = html(document)
    first = document.tests[0]
    order = [
        first.what,
        first.hint,
        "pytest &#39;scenarios/test_kernelpanic.py",
        "Worth knowing",
        "All other tests",
    ]
    places = [found.index(one) for one in order]
    assert places == sorted(places)
    assert "this host&#39;s fault" in found
    assert "init failure, before the test began" in found
    assert found.count("<article") == 7


def test_a_picture_of_the_screen_is_part_of_the_page_and_nothing_else_is_taken_for_one() -> None:
    red = run_of_each_kind().tests[4]
    png = red.screen["png"]
    (picture,) = [attributes for tag, attributes in Reader(html(Document(tests=[red]))).elements if tag == "img"]
    assert picture["src"] == f"data:image/png;base64,{png}"
    assert "The screen after 17.7 s" in html(Document(tests=[red])), "as its time line counts"
    for other in ("", "x", png[:40] + '"', "PHN2Zz4=", "R0lGODlhAQABAAAAACwAAAAAAQABAAA="):
        red.screen = {"at": 1.0, "png": other}
        text = html(Document(tests=[red]))
        assert "<img" not in text
        assert "img-src" not in text


def test_pictures_of_a_test_that_passed_are_shown_with_their_titles_and_nothing_else_is_taken_for_one() -> None:
    tests = run_of_each_kind().tests
    png = tests[4].screen["png"]
    green = next(one for one in tests if one.outcome == "passed")
    began = green.stages[0][1] if green.stages else 0.0
    green.story = {**green.story, "began": began}
    green.pictures = [
        {"title": "the <front> page", "at": 2.5, "png": png},
        {"title": "odd", "at": 1.0, "png": "x"},
    ]
    text = html(Document(tests=[green]))
    (picture,) = [attributes for tag, attributes in Reader(text).elements if tag == "img"]
    assert picture["src"] == f"data:image/png;base64,{png}"
    assert picture["alt"] == "the <front> page"
    assert "the &lt;front&gt; page, after 2.5 s" in text
    assert "img-src data:" in text
    green.pictures = []
    assert "img-src" not in html(Document(tests=[green]))


def test_what_was_tested_has_each_module_with_version_and_licence() -> None:
    document = run_of_each_kind()
    found = Reader(html(document))
    assert [tag for tag, at in found.elements if "image" in (at.get("class") or "").split()] == ["details"] * 3
    assert sum("part" in (at.get("class") or "").split() for _, at in found.elements) == 14
    assert "open" not in next(at for _, at in found.elements if "image" in (at.get("class") or ""))
    for word in ("github.com/gokrazy/kernel.arm64", "BSD-3-Clause, GPL-2.0", "go1.26.8", "c0" * 32, "7d" * 32):
        assert word in found.said
    assert (
        "7 modules: 5 BSD-3-Clause, 1 Apache-2.0, 1 GPL-2.0, 1 other terms, 1 unknown · 21 tests, on pc-bios"
        in found.said
    )
    assert "its modules are not known" in found.said, "a given image may say nothing"


def test_each_test_can_be_filtered_by_board_and_outcome() -> None:
    document = run_of_each_kind()
    elements = Reader(html(document)).elements
    tests = [at for _, at in elements if "test" in (at.get("class") or "").split()]
    assert sorted((at["data-board"], at["data-outcome"]) for at in tests) == sorted(
        (one.board, one.outcome) for one in document.tests
    )
    chips = [at for _, at in elements if (at.get("class") or "").startswith("chip")]
    assert {at["data-outcome"] for at in chips if "data-outcome" in at} == {*document.counts}
    assert {at["data-board"] for at in chips if "data-board" in at} == {"pc-bios", "pc-uefi", "raspi4b", "virt"}


def test_sixty_tests_with_full_consoles_stay_below_five_megabytes() -> None:
    long = "<&" * 75
    tests = []
    for number in range(60):
        test = failure(number, "KernelPanic", "APPLIANCE", "it died", panic=9.0, error=long * 70, seconds=20.0)
        test.sections = [("gokrazy console", long * 70)]
        test.screen = {"at": 1.0, "png": base64.b64encode(noise(number).png()).decode()}
        test.story["console"] = [[at, who, long] for at, who, _ in console(20.0, number, lines=220)]
        tests.append(test)
    document = Document(tests=tests)
    assert len(page._render(document, None, page.Shown(), page.Shown()).encode()) > page.MOST, "nothing to cut"
    text = html(document)
    assert len(text.encode()) < 5_000_000
    assert text.count("<article") == 60
    assert '"kind":"fatal"' in text, "what happened is kept"


def test_sixty_screens_of_text_find_room() -> None:
    tests = [failure(number, "WaitTimeout", "APPLIANCE", "no") for number in range(60)]
    for number, test in enumerate(tests):
        test.screen = {"at": 1.0, "png": base64.b64encode(screen(number).png()).decode()}
    text = html(Document(tests=tests))
    assert len(text.encode()) < 5_000_000
    assert text.count("<img") == 60


def noise(seed: int) -> Picture:
    """The largest picture that there is: nothing in it can be packed."""
    return Picture(140, 140, random.Random(seed).randbytes(140 * 140 * 3))


def test_consoles_of_tests_that_passed_are_cut_first(monkeypatch: pytest.MonkeyPatch) -> None:
    red = failure(1, "KernelPanic", "APPLIANCE", "it died", panic=9.0)
    green = Test("a::green", "passed", story=story(20.0, 2))
    document = Document(tests=[red, green])
    whole = len(html(document).encode())
    monkeypatch.setattr(page, "MOST", whole - 1)
    cut = html(document)
    assert all(str(at) in cut for at, _, _ in red.story["console"][:20])
    assert len(cut.encode()) < whole


@pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="not a clone: there is nothing to build")
def test_the_template_is_in_the_wheel(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, cwd=tmp_path, env=clean_environment(), capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as files:
        for path in FOLDER.iterdir():
            assert files.read(f"harness/report/template/{path.name}") == path.read_bytes()


def test_a_page_without_boots_facts_or_tests_says_so() -> None:
    text = html(Document())
    assert "nothing ran" in text
    assert "Boot times" not in text
