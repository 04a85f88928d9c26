"""A test under which KVM broke runs again, and no other test ever does."""

from __future__ import annotations

import pytest

CONFTEST = """
import pytest
from harness.run.rerun import Rerun, mark
from harness.errors import AcceleratorFailed, QemuFailed

class State:
    accelerator = "kvm"
    tries = 0

@pytest.fixture
def state():
    return State

def pytest_configure(config):
    config.pluginmanager.register(Rerun(lambda item: State.accelerator == "kvm"))

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.gk_news = {"notes": [f"{report.when} of try {State.tries}"]}
    if call.excinfo is not None:
        mark(report, call.excinfo.value)
    return report
"""


def run(pytester: pytest.Pytester, body: str) -> pytest.RunResult:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(f"from harness.errors import *\nimport pytest\n{body}")
    return pytester.runpytest("-p", "no:cacheprovider")


BREAKS = """
@pytest.fixture
def setting(state):
    state.tries += 1
    yield
    if state.tries == 1:
        state.accelerator = "tcg"

def test_breaks(setting, state):
    if state.tries == 1:
        try:
            raise AcceleratorFailed("gone")
        except AcceleratorFailed as error:
            raise AssertionError("no answer") from error
"""


def test_it_runs_again_from_its_fixtures_on_and_passes(pytester: pytest.Pytester) -> None:
    result = run(pytester, BREAKS)
    result.assert_outcomes(passed=1)


def test_what_the_first_try_had_to_say_is_kept(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(f"from harness.errors import *\nimport pytest\n{BREAKS}")
    reports = pytester.inline_run().getreports("pytest_runtest_logreport")
    assert [report.outcome for report in reports] == ["passed"] * 3
    notes = [note for news in reports[0].gk_earlier_news for note in news["notes"]]
    assert notes == ["setup of try 1", "call of try 1", "teardown of try 1"]


@pytest.mark.parametrize(
    "failure", ['QemuFailed("x")', 'KernelPanic("x")', 'AcceleratorFailed("nothing to fall back to")']
)
def test_no_other_failure_runs_again(pytester: pytest.Pytester, failure: str) -> None:
    result = run(
        pytester,
        f"""
def test_fails(state):
    state.tries += 1
    assert state.tries == 1, "ran again"
    raise {failure}
""",
    )
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("E *ran again*")
