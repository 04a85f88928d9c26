"""Offers each test to the run's bundles, from the hook of pytest that reports it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import boards
from harness.bundle.keep import keep
from harness.bundle.manifest import Case
from harness.bundle.quota import PROPERTY, Quota
from harness.options import options_said
from harness.package_data import scenarios_folder
from harness.run import markers

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance
    from harness.lab.lab import Lab

QUOTA = pytest.StashKey[Quota]()
SEEDS = ("randomly_seed", "random_order_seed")
"""The options of pytest-randomly and pytest-random-order."""


def offer(item: pytest.Item, report: pytest.TestReport, lab: Lab, appliance: Appliance) -> None:
    """Keep a bundle of this test, if the run wants one; whatever goes wrong there is a note, and no error."""
    if report.skipped or not (report.failed or report.when == "call"):
        return
    try:
        if not item.config.stash.setdefault(QUOTA, Quota(lab.settings.bundle)).takes(failed=report.failed):
            return
        running = "appliance" in getattr(item, "fixturenames", ())
        wanted = markers.wanted_of(item, boards.board(appliance.board.name), running=running)
        kept = keep(lab, appliance, case_of(item, report), wanted, options_said(item.config))
    except Exception as error:
        lab.journal.note(f"{item.nodeid}: no bundle is kept: {type(error).__name__}: {error}")
        return
    report.sections.append(kept.section)
    item.user_properties.append((PROPERTY, str(kept)))
    report.user_properties = list(item.user_properties)


def case_of(item: pytest.Item, report: pytest.TestReport) -> Case:
    """The test, and what it said."""
    scenarios, file = scenarios_folder(), item.path
    below = item.nodeid.partition("::")[2]
    seeds = (getattr(item.config.option, name, None) for name in SEEDS)
    return Case(
        id=item.nodeid,
        root=str(item.config.rootpath),
        scenario=f"{file.relative_to(scenarios)}::{below}" if file.is_relative_to(scenarios) else "",
        error=report.longreprtext if report.failed else "",
        fault=getattr(report, "gk_fault", ""),
        seed=next((str(seed) for seed in seeds if seed is not None), ""),
    )
