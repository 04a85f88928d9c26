"""A test during which KVM broke is run once more, under TCG: what it said was about this host, not the appliance.

Loud on purpose: the report's notes say when it happened. Nothing else is ever run again.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from _pytest.runner import runtestprotocol

from harness.errors import AcceleratorFailed, caused_by

BROKE = "gk_accelerator_broke"
EARLIER = "gk_earlier_news"
"""Attribute of a report that carries the news of a try that does not count."""


def mark(report: pytest.TestReport, error: BaseException | None) -> None:
    """Note on a report that the accelerator broke, if that is what failed."""
    if caused_by(error, AcceleratorFailed):
        setattr(report, BROKE, True)


def _is_run_again_by_others(item: pytest.Item) -> bool:
    """Whether pytest-rerunfailures does: a broken accelerator is one of its reasons, and its next try has TCG."""
    asked = bool(item.config.getoption("reruns", None)) or item.get_closest_marker("flaky") is not None
    return asked and item.config.pluginmanager.has_plugin("rerunfailures")


class Rerun:
    """A pytest plugin object; ``may_break`` says whether a test runs on something that can break."""

    def __init__(self, may_break: Callable[[pytest.Item], bool]) -> None:
        self._may_break = may_break

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a test, and once more when its accelerator broke."""
        if not self._may_break(item) or _is_run_again_by_others(item):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        if any(getattr(report, BROKE, False) for report in reports) and not self._may_break(item):
            news = [report.gk_news for report in reports if hasattr(report, "gk_news")]
            item.user_properties.clear()
            item._initrequest()  # type: ignore[attr-defined]
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
            # What was noted during the first try is reported with the second.
            setattr(reports[0], EARLIER, news)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True
