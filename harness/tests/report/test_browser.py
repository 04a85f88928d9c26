"""The page in a real browser: it runs without an error, what a device said never runs, a pointer works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.report.charts import charts
from harness.report.document import Document
from harness.report.page import write_page
from harness.tests.report.browser import Browser
from harness.tests.report.samples import EVIL, failure, run_of_each_kind

pytestmark = pytest.mark.gk_tier("nightly")

PLOT = "document.querySelector('.tl-plot')"
NOW = f"Number({PLOT}.getAttribute('aria-valuenow'))"
SHOWN = "[...document.querySelectorAll('.test')].filter((one) => one.checkVisibility()).length"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    document = run_of_each_kind()
    write_page(path, document, charts(document.boots))
    return path


@pytest.fixture
def fine(browser: Browser) -> Iterator[Browser]:
    browser.troubles.clear()
    yield browser
    assert browser.troubles == []


def test_an_error_a_dialog_and_what_the_policy_forbids_would_be_seen(browser: Browser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<meta http-equiv='Content-Security-Policy' content=\"img-src 'none'\"><img src=x.png>"
        "<script>setTimeout(() => { console.error('told'); oops(); })</script>"
    )
    browser.troubles.clear()
    browser.open(bad)
    browser.wait("new Promise((done) => setTimeout(() => done(true), 50))")
    said = "\n".join(browser.troubles)
    assert all(word in said for word in ("oops is not defined", "told", "Content Security Policy")), said


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_it_is_drawn_at_either_width_in_either_light_and_nothing_juts_out(
    fine: Browser, page: Path, width: int, dark: bool
) -> None:
    fine.open(page, width=width, dark=dark)
    assert fine.run("document.querySelectorAll('.tl-plot .h').length") > 20
    assert fine.run("document.documentElement.scrollWidth") <= width
    ground = fine.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 128) == dark
    fine.run("document.getElementById('theme').click()")
    assert fine.run("getComputedStyle(document.body).backgroundColor") != ground
    fine.run("localStorage.clear()")


def test_all_time_lines_can_be_opened_and_what_a_device_said_is_text(fine: Browser, page: Path) -> None:
    fine.open(page)
    fine.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    fine.run(
        "(async () => { for (const one of document.querySelectorAll('.card .story')) { one.scrollIntoView(); "
        "await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame); } })()"
    )
    fine.wait("document.querySelectorAll('.tl').length == document.querySelectorAll('.story').length")
    assert fine.run("document.body.innerText").count(EVIL) > 5
    assert fine.run("document.scripts.length") == 2
    sources = fine.run("[...document.images].map((one) => one.src.slice(0, 22))")
    assert sources == ["data:image/png;base64,"], "that of the screen, and none of what a device said"


def test_a_picture_of_the_screen_is_small_until_it_is_asked_for(fine: Browser, page: Path) -> None:
    fine.open(page)
    size = "(({naturalWidth, naturalHeight, height}) => [naturalWidth, naturalHeight, height])(document.images[0])"
    fine.run("document.images[0].scrollIntoView()")
    fine.run("document.images[0].decode().then(() => 1)")
    assert fine.run(size) == [800, 480, 240]
    fine.run("document.querySelector('[data-screen]').click()")
    assert fine.run(size) == [800, 480, 480]
    assert fine.run("document.documentElement.scrollWidth") <= 1280
    fine.run("document.querySelector('[data-screen]').click()")
    assert fine.run(size) == [800, 480, 240]


def test_modules_are_found_by_their_words_and_their_image_opens(fine: Browser, page: Path) -> None:
    fine.open(page)
    rows = "[...document.querySelectorAll('.part')].filter((one) => one.checkVisibility()).length"
    assert fine.run(rows) == 0, "it is closed at first"
    for words, shown in (("gpl", 2), ("gokrazy KERNEL", 2), ("v0.38.0", 2), ("no-such-thing", 0), ("", 0)):
        fine.run(
            "((field) => { field.value = " + repr(words) + "; field.dispatchEvent(new Event('input')); })"
            "(document.getElementById('part'))"
        )
        assert fine.run(rows) == shown
        told = fine.run("document.getElementById('parts').textContent")
        assert told == (f"{shown} of 14" if words else "")
    fine.run("document.querySelectorAll('.image').forEach((one) => { one.open = true; })")
    assert fine.run(rows) == 14, "none is left out for ever"


def test_it_opens_at_the_death_and_a_mouse_a_finger_and_keys_move_through_all_of_it(
    fine: Browser, page: Path
) -> None:
    fine.open(page)
    assert fine.run(NOW) == pytest.approx(14.25)
    told = "document.querySelector('.tl-moment').innerText"
    line = "document.querySelector('.tl-console .now').innerText"
    assert "the kernel panicked" in fine.run(told)
    assert "NULL pointer" in fine.run(line)
    box = fine.run(f"(({{x, y, width, height}}) => [x, y, width, height])({PLOT}.getBoundingClientRect())")
    x, y, width, height = box
    fine.point(x + width * 0.5, y + height / 2)
    middle = fine.run(NOW)
    assert 7 < middle < 9
    assert "runs as" in fine.run(told)
    assert "before" in fine.run(told)
    fine.touch(x + width * 0.8, y + height / 2)
    assert 13 < fine.run(NOW) < 15
    assert "the processors stand still" in fine.run(told)
    fine.run(f"{PLOT}.focus()")
    fine.press("Home")
    assert fine.run(NOW) == 0
    fine.press("ArrowRight")
    small = fine.run(NOW)
    fine.press("ArrowRight", shift=True)
    assert fine.run(NOW) == pytest.approx(11 * small)
    fine.press("End")
    last = fine.run(NOW)
    fine.press("p")
    assert fine.run(NOW) < last
    fine.press("n")
    assert fine.run(NOW) == last


def test_a_long_wait_before_the_appliance_is_left_out_of_the_first_view(fine: Browser, tmp_path: Path) -> None:
    red = failure(1, "AssertionError", "", "no")
    red.stages[0] = ("setup", red.stages[0][1] - 60, red.stages[0][2])
    write_page(tmp_path / "page.html", Document(tests=[red]))
    fine.open(tmp_path / "page.html")
    least = f"Number({PLOT}.getAttribute('aria-valuemin'))"
    assert fine.run(least) > 55
    assert fine.run("[...document.querySelectorAll('.tl-bar button')].map((one) => one.textContent)") == [
        *("Whole", "Appliance", "Test", "Set-up"),
    ]
    fine.run("document.querySelector('.tl-bar button').click()")
    assert fine.run(least) == 0


def test_chips_text_and_address_filter_the_tests(fine: Browser, page: Path) -> None:
    document = run_of_each_kind()
    fine.open(page)
    assert fine.run(SHOWN) == len(document.tests)
    fine.run("document.querySelector('[data-outcome=failed].chip').click()")
    assert fine.run(SHOWN) == 6
    fine.run("document.querySelector('[data-board=\"pc-bios\"].chip').click()")
    assert fine.run(SHOWN) == 1
    assert fine.run("location.hash") == "#?outcome=failed&board=pc-bios"
    assert fine.run("document.getElementById('shown').textContent") == f"1 of {len(document.tests)}"
    fine.open(page, more="#?outcome=passed&text=number_7_holds")
    assert fine.run(SHOWN) == 1
    assert fine.run("document.getElementById('text').value") == "number_7_holds"
    fine.run("document.querySelector('[data-outcome=passed].chip').click()")
    assert fine.run(SHOWN) == 1
    fine.open(page, more="#?text=no-such-thing")
    assert fine.run(SHOWN) == 0
    assert fine.run("document.getElementById('none').checkVisibility()")


def test_it_prints(fine: Browser, page: Path) -> None:
    fine.open(page)
    assert fine.print().startswith(b"%PDF")
