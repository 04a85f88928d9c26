"""The web interface as a person sees it: in a browser, which is Chromium without a window."""

import contextlib

import pytest

from harness.errors import AuthenticationRefused

pytestmark = [
    pytest.mark.gk_tier("ci"),
    pytest.mark.gk_any_firmware,
    pytest.mark.gk_needs("browser"),
]

NARROW = 400
WIDTHS = (1280, NARROW)
OF_GOKRAZY = ".navbar-header, form[action='/restart'], td, th"
"""What gokrazy's templates make as wide as they like: the header, buttons, and names in tables."""
LOG = "([...document.querySelectorAll('#stdout, #stderr')].map((one) => one.innerText).join('\\n'))"
SHOWS = f"(text) => {LOG}.includes(text)"
ENDED = f"/gokrazy: (exit|signal: |process should)/.test({LOG}.slice({LOG}.lastIndexOf('gokrazy: attempt ')))"
REMAINS = ("hello", "killed", "ntp", "randomd", "heartbeat")
"""Services that may be stopped for a while without harm to the appliance, first come, first served."""


def page_of(path):
    """Where the web interface has the page of a service."""
    return f"/status?path={path}"


@contextlib.contextmanager
def looked_at(appliance, **window):
    """A browser in which nothing goes wrong until the end of the block."""
    with appliance.browser(**window) as browser:
        yield browser
        assert not browser.strangers, f"its pages ask others than the appliance: {', '.join(browser.strangers)}"
        assert not browser.troubles, f"the browser complains: {'; '.join(browser.troubles)}"


def assert_it_fits(appliance, browser):
    """Nobody must scroll sideways. What gokrazy's own pages are known for is a deviation."""
    wide = browser.juts_out(besides=OF_GOKRAZY)
    assert not wide, f"one must scroll to the side at {browser.guest.width} pixels: {'; '.join(wide)}"
    if browser.guest.width == NARROW:
        with appliance.demand("pages-fit-400-pixels"):
            assert browser.juts_out() == ()


def until_it_runs_anew(appliance, before):
    """Wait until a service runs as another process: one that takes a request to end for a success is started."""
    others = (0, before.pid)
    now = appliance.wait_for_service(
        before.path, lambda one: one.stopped or one.pid not in others, "ended, or running anew"
    )
    if now.stopped:
        appliance.start(before.path)
    return appliance.wait_until_runs_anew(before)


@pytest.fixture
def to_stop(appliance):
    """A service that runs and may be stopped, as it is before that."""
    running = {one.name: one for one in appliance.wait_until_settled(besides=("panic-forever",)).services}
    for name in (*REMAINS, *(one.name for one in appliance.image.services if one.path.startswith("/user/"))):
        one = running.get(name)
        # What is the way in, or the network, is left alone.
        if one is not None and one.pid and not one.stopped and name not in ("breakglass", "tailscaled", "wifi"):
            return one
    pytest.skip("not applicable: no service runs that may be stopped for a while")


def test_the_browser_is_asked_for_the_password(appliance):
    for wrong in (None, "not-the-password"):
        with appliance.browser(password=wrong) as browser:
            for path in ("/", page_of("/gokrazy/randomd"), "/log?path=/gokrazy/randomd&stream=both"):
                with pytest.raises(AuthenticationRefused):
                    browser.open(path)
    with looked_at(appliance) as browser:
        assert appliance.image.hostname in browser.open().title()


def test_the_front_page_lists_all_services_with_their_state(appliance):
    appliance.wait_until_settled(besides=("panic-forever",))
    for width in WIDTHS:
        with looked_at(appliance, width=width) as browser:
            page = browser.open()
            rows = page.locator("tr", has=page.locator("a[href^='/status']"))
            shown = {row.locator("a").inner_text(): row.locator("td").nth(1).inner_text() for row in rows.all()}
            browser.picture(f"the front page, {width} pixels wide")
            assert_it_fits(appliance, browser)
        services = {one.path: one for one in appliance.status().services}
        assert set(shown) == set(services)
        for path, one in services.items():
            # One that was started a moment ago is said to be restarting, be it that it has left meanwhile.
            words = [word for word in shown[path].split() if word != "restarting"]
            is_right = words in (["stopped"] if one.stopped else ["running"], []) and shown[path].strip()
            assert is_right, f"the front page calls {path} {shown[path].strip() or 'nothing'!r}, and it is {one}"


@pytest.mark.gk_shows("its web interface shows the logs of services")
def test_a_services_page_shows_its_log_which_goes_on_while_it_is_watched(appliance, to_stop):
    with looked_at(appliance, width=NARROW) as browser:
        page = browser.open(page_of(to_stop.path))
        browser.wait(f"{LOG}.trim() !== ''", what=f"the log of {to_stop.name}")
        browser.picture(f"the page of {to_stop.name}, {NARROW} pixels wide")
        assert_it_fits(appliance, browser)
        before = page.evaluate(LOG)
        # Somebody else restarts it: the page that is being watched says so by itself.
        appliance.restart(to_stop.path)
        until_it_runs_anew(appliance, to_stop)
        again = f"gokrazy: attempt {appliance.attempts(to_stop.path) - 1}, starting"
        browser.wait(SHOWS, again, what=f"{again!r} in the log that is being watched")
        assert page.evaluate(LOG) != before


STOP, START = "form[action='/stop'] [type=submit]", "form[action='/restart'] [type=submit]"


def test_its_buttons_stop_start_and_restart_a_service(appliance, to_stop):
    with looked_at(appliance) as browser:
        page = browser.open(page_of(to_stop.path))
        browser.press(STOP)
        appliance.wait_until_stopped(to_stop.path)
        page = browser.open(page_of(to_stop.path))
        # It is called stopped at once, and its process may take a while to end.
        browser.wait(ENDED, what=f"the end of {to_stop.name} in its log")
        browser.picture(f"the page of {to_stop.name}, which is stopped")
        assert_it_fits(appliance, browser)
        assert page.locator("form[action='/stop']").count() == 0
        # The last button of those that start it: it is to be kept running, where there is a choice.
        browser.press(START)
        started = appliance.wait_until_runs_anew(to_stop)
        page = browser.open(page_of(to_stop.path))
        if page.locator(START).count():
            browser.press(START)
        else:
            # This gokrazy has no button for it: one stops the service, and starts it.
            browser.press(STOP)
            appliance.wait_until_stopped(to_stop.path)
            browser.open(page_of(to_stop.path))
            browser.wait(ENDED, what=f"the end of {to_stop.name} in its log")
            browser.press(START)
        assert until_it_runs_anew(appliance, started).pid not in (to_stop.pid, started.pid)
