"""Offers each test to the run's bundles, from the hook of pytest that reports it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import boards
from harness.appliance.failed_starts import logs_of
from harness.bundle.archive import NAME
from harness.bundle.keep import SECTION, Held, Kept, hold, keep
from harness.bundle.manifest import Case
from harness.bundle.quota import PROPERTY, Quota
from harness.options import options_said
from harness.package_data import scenarios_folder
from harness.run import markers
from harness.run.outcome import FAULT

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance
    from harness.lab.lab import Lab
    from harness.machine.execution_log import Recorder

PENDING = pytest.StashKey[Case]()
"""A recorded test that failed and whose machine has not ended."""
SEEDS = ("randomly_seed", "random_order_seed")
"""The options of pytest-randomly and pytest-random-order."""


class Bundles:
    """The bundles of one process; whatever goes wrong with one is a note, and no error."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._quota = Quota(lab.settings.bundle)
        self._held: Held | None = None
        """What did not come up, for the report that comes when its machine has ended."""

    def failed_start(self, appliance: Appliance) -> None:
        """Hold a machine that does not come up and ends soon, if the run wants a bundle of it."""
        self._release()
        if appliance.power.recorder is not None:
            # What is recorded is whole when it has ended.
            return
        try:
            if self._quota.takes(failed=True):
                self._held = hold(self._lab, appliance)
        except Exception as error:
            self._note(appliance.console.name, error)

    def offer(
        self,
        item: pytest.Item,
        report: pytest.TestReport,
        appliances: Sequence[Appliance],
        error: BaseException | None,
    ) -> None:
        """Keep a bundle of this test, if the run wants one: of its first appliance, with the logs of the others.

        Of a start that failed before, and was not tried again for this test, the one that there is is named.
        """
        appliance = appliances[0] if appliances else None
        if appliance is not None and (recorder := appliance.power.recorder) is not None:
            self._offer_recorded(item, report, appliances, recorder)
            return
        if not _counts(report):
            return
        try:
            if self._held is None or self._held.appliance is not appliance:
                self._release()
                logs = logs_of(error)
                if logs is not None:
                    _share(item, report, logs / NAME, "replay" if self._lab.settings.record else "repro")
                if logs is not None or appliance is None or not self._quota.takes(failed=report.failed):
                    return
                self._held = hold(self._lab, appliance)
            held = replace(self._held, beside=tuple(appliances[1:]))
            _say(item, report, self._keep(item, held, case_of(item, report)))
        except Exception as slip:
            self._note(item.nodeid, slip)
        finally:
            self._release()

    def _offer_recorded(
        self, item: pytest.Item, report: pytest.TestReport, appliances: Sequence[Appliance], recorder: Recorder
    ) -> None:
        """The same of an appliance that is recorded: the bundle is made when it has ended, after the tear-down."""
        appliance = appliances[0]
        try:
            if report.when == "teardown":
                if (case := item.stash.get(PENDING, None)) is not None:
                    self._held = replace(hold(self._lab, appliance), beside=tuple(appliances[1:]))
                    _say(item, report, self._keep(item, self._held, case))
            elif _counts(report) and self._quota.takes(failed=report.failed):
                item.stash[PENDING] = replace(case_of(item, report), console_at=appliance.console.recording.size)
                report.sections.append((SECTION, f"gokharness replay {appliance.folder / NAME}"))
        except Exception as slip:
            self._note(item.nodeid, slip)
        finally:
            self._release()
            if report.when == "teardown":
                recorder.forget()

    def _keep(self, item: pytest.Item, held: Held, case: Case) -> Kept:
        running = "appliance" in getattr(item, "fixturenames", ())
        wanted = markers.wanted_of(item, boards.board(held.appliance.board.name), running=running)
        return keep(self._lab, held, case, wanted, options_said(item.config))

    def _release(self) -> None:
        if self._held is not None:
            self._held.release()
        self._held = None

    def _note(self, of: str, error: Exception) -> None:
        self._lab.journal.note(f"{of}: no bundle is kept: {type(error).__name__}: {error}")


def _counts(report: pytest.TestReport) -> bool:
    """Whether a bundle may come of this report."""
    return report.when != "teardown" and not report.skipped and (report.failed or report.when == "call")


def _share(item: pytest.Item, report: pytest.TestReport, path: Path, command: str) -> None:
    """Name the bundle of another test, whose start failed and was not tried again for this one."""
    if path.is_file():
        _say(item, report, Kept(path, path.stat().st_size, (), command))


def _say(item: pytest.Item, report: pytest.TestReport, kept: Kept) -> None:
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
        fault=getattr(report, FAULT, ""),
        seed=next((str(seed) for seed in seeds if seed is not None), ""),
    )
