"""What JUnit shows of a test beyond its outcome: which appliance it had, and what was seen of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.appliance.appliance import Appliance

LEFT_OUT = "gk_left_out:"
CONSOLE = "gk_console:"


def properties(appliance: Appliance) -> list[tuple[str, str]]:
    """The properties of the test that had this appliance: names begin with ``gk_``, times are in seconds."""
    image = appliance.image
    facts = {
        "gk_board": appliance.board.name,
        "gk_image": image.digest,
        "gk_build": image.build,
        "gk_builder": image.builder,
        "gk_accelerator": appliance.power.accelerator,
    }
    if appliance.clock_behind is not None:
        facts["gk_clock_behind_seconds"] = f"{appliance.clock_behind:.1f}"
    if appliance.downtimes:
        facts["gk_downtime_seconds"] = ", ".join(f"{seconds:.1f}" for seconds in appliance.downtimes)
    facts.update({f"gk_deviation:{name}": evidence for name, evidence in appliance.deviations.items()})
    facts.update({f"{LEFT_OUT}{what}": reason for what, reason in appliance.left_out.items()})
    for finding in reversed(appliance.console.unclean()):
        if not finding.fatal:
            facts[f"{CONSOLE}{finding.name}"] = finding.what
    for finding in reversed(appliance.console.findings):
        if finding.reason:
            facts[f"{CONSOLE}{finding.name}"] = f"{finding.what} (allowed: {finding.reason})"
    facts.update({f"gk_{remark}": text for remark, text in appliance.remarks.items()})
    return list(facts.items())
