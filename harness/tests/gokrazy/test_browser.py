"""A real Chromium on pages of a small server: what it refuses, what it sees, what it keeps to itself."""

from __future__ import annotations

import base64
import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness.errors import (
    AuthenticationRefused,
    DeviceUnreachable,
    NotOnDevice,
    RequestRefused,
    ToolMissing,
    WaitTimeout,
)
from harness.gokrazy import browser as module
from harness.gokrazy.browser import Browser, Ears, Guest, no_browser

PASSWORD = "the-password"
PAGES = {
    "/": "<title>fine</title><p>fine</p>",
    "/bad": "<script>console.error('told'); oops();</script><img src='/none.png'>"
    "<img src='http://127.0.0.2:9/stranger.png'>",
    "/wide": "<nav><b style='display:block;width:700px'>head</b></nav>"
    "<div style='overflow:hidden'><i style='display:block;width:900px'>hidden</i></div>"
    "<p style='width:500px'>wide</p>",
    "/form": "<form method=POST action='/stop'><input type=hidden name=path value=/user/x><button>stop</button>",
}


@pytest.fixture
def requests() -> list[str]:
    return []


@pytest.fixture
def url(requests: list[str]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(f"{self.command} {self.path}")
            told = base64.b64encode(f"gokrazy:{PASSWORD}".encode()).decode()
            if self.headers.get("Authorization") != f"Basic {told}":
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="gokrazy"')
                self.end_headers()
                return
            page = PAGES.get(self.path)
            self.send_response(200 if page is not None else 404)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!DOCTYPE html><link rel=icon href='data:,'>" + (page or "none").encode())

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


needs_a_browser = pytest.mark.skipif(bool(no_browser()), reason=no_browser() or "there is one")


def guest(url: str, password: str | None = PASSWORD, width: int = 1280) -> Guest:
    return Guest(url, password, limit=60, width=width)


@needs_a_browser
def test_it_is_refused_without_the_password_and_with_a_wrong_one(url: str) -> None:
    for password, wants in ((None, "it wants a password"), ("wrong", "it wants another password")):
        with Browser(guest(url, password)) as browser, pytest.raises(AuthenticationRefused, match=wants):
            browser.open()


@needs_a_browser
def test_it_hears_of_errors_and_strangers_and_nothing_of_a_page_without(url: str) -> None:
    with Browser(guest(url)) as browser:
        assert browser.open().title() == "fine"
        assert (browser.troubles, browser.strangers) == ([], ())
        browser.open("/bad")
        said = "\n".join(browser.troubles)
        assert all(word in said for word in ("oops is not defined", "told", "404 for", "127.0.0.2:9")), said
        assert browser.strangers == ("http://127.0.0.2:9/stranger.png",)
        with pytest.raises(RequestRefused, match="404"):
            browser.open("/nowhere")
        # A second one beside it, as a test of two appliances has.
        with Browser(guest(url)) as other:
            assert other.open().title() == "fine"
        assert browser.open().title() == "fine"


@needs_a_browser
def test_it_names_what_juts_out_of_a_narrow_window(url: str) -> None:
    with Browser(guest(url, width=400)) as browser:
        browser.open()
        assert browser.juts_out() == ()
        browser.open("/wide")
        assert [one.partition(" until ")[0] for one in browser.juts_out()] == ["b", "p"]
        assert [one.partition(" until ")[0] for one in browser.juts_out(besides="nav")] == ["p"]
        assert browser.juts_out(besides="nav, p") == ()


@needs_a_browser
def test_what_may_not_be_sent_is_not_and_is_raised(url: str, requests: list[str]) -> None:
    asked: list[object] = []

    def gate(method: str, path: str, form: object) -> None:
        asked.append((method, path, form))
        if method != "GET":
            raise NotOnDevice("a test may not")

    with Browser(guest(url), Ears(gate=gate)) as browser:
        browser.open("/form").locator("button").click()
        with pytest.raises(NotOnDevice, match="may not"):
            browser.wait("true")
    assert ("POST", "/stop", {"path": "/user/x"}) in asked
    assert not any(one.startswith("POST") for one in requests)


@needs_a_browser
def test_a_wait_says_what_did_not_come_and_a_picture_is_kept_with_its_text(url: str) -> None:
    kept: list[tuple[str, bytes, str]] = []
    with Browser(guest(url), Ears(keep=lambda *one: kept.append(one))) as browser:
        browser.open()
        browser.page.set_default_timeout(300)
        with pytest.raises(WaitTimeout, match="for a log in the browser") as caught:
            browser.wait("document.title === 'log'", what="a log")
        assert caught.value.evidence == "fine"
        assert browser.picture("the page").startswith(b"\x89PNG")
    ((title, png, text),) = kept
    assert (title, png[:4], text) == ("the page", b"\x89PNG", "fine")


@needs_a_browser
def test_nobody_at_home_is_said(url: str) -> None:
    with (
        Browser(guest("http://127.0.0.1:9", None)) as browser,
        pytest.raises(DeviceUnreachable, match="the browser got no page"),
    ):
        browser.open()


def test_without_the_extra_it_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert no_browser() == module.NO_PLAYWRIGHT
    with pytest.raises(ToolMissing) as caught:
        Browser(guest("http://127.0.0.1:9"))
    assert "pytest-gokrazy[browser]" in caught.value.what
    monkeypatch.undo()
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert no_browser() in (module.NO_CHROMIUM, module.NO_PLAYWRIGHT)


def test_what_was_not_sent_explains_what_is_awaited_in_vain(url: str) -> None:
    from playwright.sync_api import Error

    def gate(method: str, path: str, form: object) -> None:
        if path == "/other":
            raise NotOnDevice("a test may not do that")

    refusal = pytest.raises(NotOnDevice, match="may not do that")
    with refusal, Browser(guest(url), Ears(gate=gate)) as browser:
        browser.open()
        # It is aborted.
        with contextlib.suppress(Error):
            browser.page.goto(f"{url}/other")
        raise WaitTimeout("waited 30 s for it to stop")
    mistake = pytest.raises(KeyError)
    with mistake, Browser(guest(url), Ears(gate=gate)) as browser:
        browser.open()
        with contextlib.suppress(Error):
            browser.page.goto(f"{url}/other")
        raise KeyError("a mistake of the test")
