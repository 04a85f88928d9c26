"""What hangs under the report of one test: the error in parts, what the device said, and its time line.

All of it are attributes that travel from another process, and none of it contains a password that is known.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import HarnessError, behind, causes, fault_of
from harness.run.outcome import FAULT

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance


def hang_under(report: pytest.TestReport, appliances: Sequence[Appliance], error: BaseException | None) -> None:
    """Say of a failure whose fault it is and what to do, and quote each device; does nothing for others."""
    if not report.failed or error is None:
        return
    fault = fault_of(error)
    setattr(report, FAULT, fault.name if fault else "")
    # The class of the error stands in a place of its own.
    said = {"what": first_line(report).removeprefix(f"{type(error).__name__}: "), **_parts(error)}
    for number, appliance in enumerate(appliances):
        # One that did not come up has ended by now: its screen was looked at before.
        appliance.look_at_screen()
        if (screen := appliance.screen) is not None and not hasattr(report, "gk_screen"):
            png = base64.b64encode(screen.png).decode()
            report.gk_screen = {"at": round(screen.at, 3), "png": png}  # type: ignore[attr-defined]
        if number:
            # Nobody knows that the error is about this one, so it is not asked why it is silent.
            report.sections.extend((f"{title}: the other appliance", text) for title, text in appliance.excerpts())
        else:
            report.sections.extend(appliance.excerpts(error))
    for appliance in appliances:
        hide = appliance.time_line.hide
        said = {name: hide(text) for name, text in said.items()}
        report.sections = [(title, hide(text)) for title, text in report.sections]
        error_text = report.longreprtext
        if (text := hide(error_text)) != error_text:
            report.longrepr = text
    report.gk_error = said  # type: ignore[attr-defined]


def story_for(report: pytest.TestReport, appliance: Appliance | None) -> dict[str, Any]:
    """The time line of a test that is over, and the pictures that it took, as news; nothing before that."""
    if appliance is None or report.when != "teardown":
        return {}
    from harness.appliance.story import story

    made = story(appliance.time_line, appliance.console)
    pictures = [
        {"title": one.title, "at": round(one.at, 3), "png": base64.b64encode(one.png).decode()}
        for one in appliance.pictures
    ]
    return {"story": {**made, "limits": {appliance.board.name: appliance.budget.ready}}, "pictures": pictures}


def first_line(report: pytest.TestReport) -> str:
    """The first line of what went wrong, as pytest has it."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message) if crash is not None else report.longreprtext
    return text.strip().splitlines()[0] if text.strip() else "no message"


def _parts(error: BaseException) -> dict[str, str]:
    """The class of an error, or of what it follows, and what it says; of a foreign one its cause's hint."""
    ours = next((one for one in causes(error) if isinstance(one, HarnessError)), None)
    first = behind(error)
    parts = {"kind": type(first or error).__name__}
    if first is not None and ours is first:
        parts["what"] = f"{first.what}; then: {str(error).removeprefix(f'{first.what}; then: ')}".splitlines()[0]
    if ours is not None:
        parts["hint"] = ours.hint
    if ours is error:
        parts.update(what=ours.what, where=ours.where)
    return parts
