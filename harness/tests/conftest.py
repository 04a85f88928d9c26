"""What all tests of the harness begin with."""

import signal
from collections.abc import Generator, Iterator

import pytest

from harness.tests import skips


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "a test of the harness that is skipped for want of a tool fails"
    parser.addoption("--tools-required", action="store_true", help=text)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.config.getoption("--tools-required"):
        skips.as_failure(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    found = skips.lines(terminalreporter.stats.get("skipped", []))
    if found:
        terminalreporter.section("skipped")
    for line in found:
        terminalreporter.write_line(line)


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_heard() -> Iterator[None]:
    """A run in a shell's background ignores Ctrl-C, and so would all that the tests start and interrupt."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
