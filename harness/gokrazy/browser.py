"""A device's web interface as a person sees it: Chromium without a window, by Playwright, which is an extra."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

from harness.errors import (
    ApplianceFault,
    AuthenticationRefused,
    DeviceUnreachable,
    HarnessError,
    RequestRefused,
    ToolMissing,
    WaitTimeout,
)

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page, Playwright, Request, Response, Route

EXTRA = "pip install 'pytest-gokrazy[browser]'"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
"""Under which names systems have Chromium."""
NO_PLAYWRIGHT = f"Playwright is not installed ({EXTRA})"
NO_CHROMIUM = "there is no Chromium on PATH (on Debian: apt-get install chromium)"
LEFT = "net::ERR_ABORTED"
"""What Chromium says of a request that ended because somebody left the page."""
UNAUTHORISED, FIRST_ERROR = 401, 400
REFUSED = "net::ERR_INVALID_AUTH_CREDENTIALS"
"""What Chromium says where it was asked for a password, and has none to give, or none that was taken."""
_ALONE = ("--disable-component-update", "--no-first-run", "--disable-features=OptimizationHints,MediaRouter")
"""So that the program asks nobody anything for itself."""


def _nothing(*_: object) -> None:
    """For who wants to hear nothing."""


@dataclass(frozen=True)
class Ears:
    """What a browser says to its owner, and what it asks."""

    check: Callable[[], None] = _nothing
    """Raises what the owner knows of the device's end."""
    gate: Callable[[str, str, object], None] | None = None
    """Asked before each request by method, path and form: where it raises, nothing is sent."""
    note: Callable[[str], None] = _nothing
    """Gets what is done, in words."""
    keep: Callable[[str, bytes, str], None] = _nothing
    """Gets each picture: its title, a PNG file, and the text that it shows."""


EXCERPT = 2000
"""Characters of a page that are quoted, from its end."""
_WIDE = """(besides) => {
    const page = document.documentElement, width = page.clientWidth;
    if (page.scrollWidth <= width) return [];
    const clipped = (one) => {
        for (let at = one.parentElement; at && at !== document.body; at = at.parentElement)
            if (getComputedStyle(at).overflowX !== "visible") return true;
        return false;
    };
    const wide = [...document.body.querySelectorAll("*")].filter(
        (one) => one.getBoundingClientRect().right > width + 0.5 && !clipped(one));
    const told = wide.filter((one) => !(besides && one.closest(besides))).map(
        (one) => `${one.localName} until ${Math.round(one.getBoundingClientRect().right)} of ${width}: `
            + (one.innerText || one.value || "").trim().slice(0, 40));
    return wide.length ? told : [`the page itself until ${page.scrollWidth} of ${width}`];
}"""


def no_browser() -> str:
    """Why there is no browser here, "" where there is one."""
    if importlib.util.find_spec("playwright") is None:
        return NO_PLAYWRIGHT
    return "" if _program() else NO_CHROMIUM


def _program() -> str:
    return next((found for name in PROGRAMS if (found := shutil.which(name))), "")


class _Driver:
    """Playwright itself: a thread can have one at a time, so that all browsers of a process share it.

    It ends with the last browser. While it runs, asyncio takes its thread for one that is busy.
    """

    def __init__(self) -> None:
        self._users = 0
        self._playwright: Playwright | None = None

    def take(self) -> Playwright:
        if self._playwright is None:
            from playwright.sync_api import sync_playwright

            self._playwright = sync_playwright().start()
        self._users += 1
        return self._playwright

    def give_back(self) -> None:
        self._users -= 1
        if not self._users and self._playwright is not None:
            self._playwright.stop()
            self._playwright = None


_DRIVER = _Driver()


@dataclass(frozen=True)
class Guest:
    """Who looks at the device, and how."""

    url: str
    """Where the device answers, without user and password."""
    password: str | None
    """None for somebody who gives none."""
    limit: float
    """Seconds that each step may take."""
    width: int = 1280
    """Of the window, in pixels."""
    height: int = 900
    user: str = "gokrazy"


class Browser:
    """One window of a browser on one device; a context manager.

    ``page`` is Playwright's own Page, with all that it can do; ``open`` goes to a page of the device.
    ``troubles`` has what a person would find in the browser's console: script errors, warnings, and requests that
    failed. ``asked`` has each address that a page asked for. The certificate may be anybody's.
    """

    page: Page

    def __init__(self, guest: Guest, ears: Ears | None = None) -> None:
        if reason := no_browser():
            raise ToolMissing(
                f"appliance.browser() has no browser: {reason}",
                hint="install it; a test with gk_needs('browser') is skipped without it",
            )
        self.guest = guest
        self.troubles: list[str] = []
        self.asked: list[str] = []
        self._ears = ears or Ears()
        self._refused: HarnessError | None = None
        self._status = 0
        """Of the answer to the last page that was asked for; 0 before it comes."""

    def __enter__(self) -> Self:
        playwright = _DRIVER.take()
        try:
            self._chromium = playwright.chromium.launch(
                executable_path=_program(), args=[*_ALONE], timeout=1000 * self.guest.limit
            )
            self.page = self._window()
        except BaseException:
            _DRIVER.give_back()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        try:
            self._chromium.close()
        finally:
            _DRIVER.give_back()
        # What was awaited in vain, or found otherwise, is so because nothing was sent.
        if error is None or isinstance(error, ApplianceFault | AssertionError):
            self._raise_refused()

    def _window(self) -> Page:
        guest = self.guest
        whose: dict[str, Any] = {}
        if guest.password is not None:
            # To this device only: no page can have the password sent to another host.
            whose["http_credentials"] = {
                **{"username": guest.user, "password": guest.password},
                "origin": guest.url.rstrip("/"),
            }
        context = self._chromium.new_context(
            viewport={"width": guest.width, "height": guest.height}, ignore_https_errors=True, **whose
        )
        context.set_default_timeout(1000 * guest.limit)
        context.on("request", self._on_request)
        context.on("response", self._on_response)
        context.on("requestfailed", self._on_failure)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.troubles.append(f"script error: {error.error}"))
        if (gate := self._ears.gate) is not None:
            context.route("**/*", lambda route: self._on_route(route, gate))
        return context.new_page()

    # what a person does

    def open(self, path: str = "/") -> Page:
        """Go to a page of the device, and wait until it is loaded.

        Raises AuthenticationRefused where the device wants another password, RequestRefused for another error,
        DeviceUnreachable for no answer.
        """
        from playwright.sync_api import Error

        self._raise_refused()
        url = f"{self.guest.url.rstrip('/')}{path}"
        self._ears.note(f"the browser opens {path}")
        self._status = 0
        try:
            self.page.goto(url)
        except Error as error:
            # Chromium shows a page of its own in place of an empty one, and Playwright calls that an error.
            if REFUSED in str(error):
                self._status = UNAUTHORISED
            self._must_be_well(url)
            self._ears.check()
            raise DeviceUnreachable(
                f"the browser got no page: {str(error).splitlines()[0]}",
                where=url,
                hint="is the appliance up, and is this the port of its web interface?",
            ) from error
        self._must_be_well(url)
        return self.page

    def _must_be_well(self, url: str) -> None:
        """Raise what the device's answer means, where that was an error."""
        if self._status == UNAUTHORISED:
            other = "a password" if self.guest.password is None else "another password"
            raise AuthenticationRefused(
                f"the device refused the browser: it wants {other}",
                where=url,
                hint="give the image's password, or the one that the device has in /perm/gokr-pw.txt",
            )
        if self._status >= FIRST_ERROR:
            raise RequestRefused(
                f"the device answered the browser with {self._status}",
                status=self._status,
                where=url,
                hint="does this version of gokrazy have that page?",
            )

    def wait(self, condition: str, argument: object = None, *, what: str = "") -> None:
        """Wait until an expression of JavaScript, or a function of ``argument``, is true in the page.

        ``what`` says it in words. Raises WaitTimeout with what the page shows.
        """
        from playwright.sync_api import TimeoutError as Late

        try:
            self.page.wait_for_function(condition, arg=argument)
        except Late:
            self._raise_refused()
            self._ears.check()
            complains = f"; the browser complains: {self.troubles[0]}" if self.troubles else ""
            raise WaitTimeout(
                f"waited {self.guest.limit:g} s for {what or condition} in the browser, in vain{complains}",
                where=self.page.url,
                hint="the evidence is what the page shows; browser.troubles has what the browser complains of",
                evidence=str(self.page.evaluate("document.body.innerText"))[-EXCERPT:],
            ) from None
        self._raise_refused()

    def press(self, button: str) -> None:
        """Press the last button that this selector finds; raises why not where a run may not do that."""
        self.page.locator(button).last.click()
        self._raise_refused()

    def juts_out(self, *, besides: str = "") -> tuple[str, ...]:
        """What of the page is to the right of its window, so that a person must scroll sideways to read it.

        ``besides`` are selectors of what is left out, with all that is in it.
        """
        return tuple(str(one) for one in self.page.evaluate(_WIDE, besides))

    @property
    def strangers(self) -> tuple[str, ...]:
        """The addresses that a page asked for at another host, or at another port, than the device's."""
        home = urlsplit(self.guest.url)[:2]
        away = (one for one in self.asked if urlsplit(one).scheme not in ("data", "blob", "about"))
        return tuple(dict.fromkeys(one for one in away if urlsplit(one)[:2] != home))

    def picture(self, title: str) -> bytes:
        """The whole page as PNG, from its top to its end; the report of the test shows it under this title."""
        png = self.page.screenshot(full_page=True, animations="disabled")
        self._ears.keep(title, png, str(self.page.evaluate("document.body.innerText")))
        return png

    # what the browser says

    def _on_request(self, request: Request) -> None:
        self.asked.append(request.url)
        if request.method != "GET":
            self._ears.note(f"the browser sends {request.method} {urlsplit(request.url).path}")

    def _on_response(self, response: Response) -> None:
        if response.request.is_navigation_request():
            self._status = response.status
        if response.status >= FIRST_ERROR:
            self.troubles.append(f"{response.status} for {response.url}")

    def _on_failure(self, request: Request) -> None:
        if request.failure != LEFT:
            self.troubles.append(f"{request.failure} for {request.url}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.troubles.append(f"{message.type}: {message.text}")

    def _on_route(self, route: Route, gate: Callable[[str, str, object], None]) -> None:
        """Ask whether a request may go out; what is refused is raised where the test looks next."""
        request = route.request
        form: Mapping[str, str] = dict(parse_qsl(request.post_data or ""))
        try:
            gate(request.method, urlsplit(request.url).path, form)
        except HarnessError as error:
            self._refused = self._refused or error
            route.abort()
        else:
            route.continue_()

    def _raise_refused(self) -> None:
        if (refused := self._refused) is not None:
            self._refused = None
            raise refused
