"""What all tests of the harness begin with."""

import signal
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from harness.machine.run_dir import RunDir
from harness.report.github import ACTIONS, SUMMARY
from harness.tests import fast, skips
from harness.tests.image import synthetic

# A busy host is no fault of a test.
settings.register_profile("busy host", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy host")


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "a test of the harness that is skipped for want of a tool fails"
    parser.addoption("--tools-required", action="store_true", help=text)
    text = "the tests that are known to be quick, then the slow ones that touch what was changed"
    parser.addoption("--quick-and-changed", action="store_true", help=text)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--quick-and-changed"):
        items[:], left_out = fast.choose(items, fast.changed_files(fast.ROOT))
        config.hook.pytest_deselected(items=left_out)


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


@pytest.fixture(autouse=True)
def _not_on_github(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs within a test is none of the job's business that runs the tests."""
    for name in (ACTIONS, SUMMARY):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunDir]:
    # Not below pytest's folder: a path as long as that is not used.
    with tempfile.TemporaryDirectory(prefix="gk-") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        with RunDir(work=tmp_path) as made:
            assert made.path.is_relative_to(runtime)
            yield made


@pytest.fixture(scope="session")
def small_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small but complete gokrazy disk for amd64; do not write to it."""
    folder = tmp_path_factory.mktemp("small-image")
    return synthetic.write_image(folder / "amd.raw", folder)


@pytest.fixture(scope="session")
def reference() -> Path:
    """Dumps of real images."""
    return Path(__file__).parent / "data" / "reference"
