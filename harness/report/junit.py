"""What JUnit XML says of an appliance that did not come up for a test: it failed the test.

pytest calls whatever goes wrong before a test an error, and others read that as trouble of the test's own set-up.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from _pytest.junitxml import xml_key

from harness.errors import Fault
from harness.run.outcome import FAULT

BEFORE = "failed on setup"
"""How pytest begins the message of an error before a test; one of the tear-down stays an error."""


class Junit:
    """A pytest plugin object: looks through the file once pytest has written it."""

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn errors of appliances that did not come up into failures."""
        log = session.config.stash.get(xml_key, None)
        if log is not None and Path(log.logfile).is_file():
            count_as_failures(Path(log.logfile))


def count_as_failures(file: Path) -> None:
    """Turn each error before a test into a failure, where the appliance is to blame for it."""
    # pytest wrote it a moment ago.
    tree = ET.parse(file)  # noqa: S314
    found = 0
    for suite in tree.iter("testsuite"):
        errors = [error for case in suite.iter("testcase") if _is_blamed(case) for error in case.iter("error")]
        errors = [error for error in errors if error.get("message", "").startswith(BEFORE)]
        for error in errors:
            error.tag = "failure"
        for name, more in (("errors", -len(errors)), ("failures", len(errors))):
            suite.set(name, str(int(suite.get(name, "0")) + more))
        found += len(errors)
    if found:
        tree.write(file, encoding="utf-8", xml_declaration=True)


def _is_blamed(case: ET.Element) -> bool:
    """Whether the appliance is to blame for what went wrong first."""
    return any(
        (one.get("name"), one.get("value")) == (FAULT, Fault.APPLIANCE.name) for one in case.iter("property")
    )
