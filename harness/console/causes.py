"""Causes: what the kernel said that explains a later failure better than the failure's own words."""

from __future__ import annotations

from collections.abc import Iterable

from harness.console.crashes import CAUSES
from harness.console.findings import Finding
from harness.errors import ApplianceFault

_TOLD = "gk_cause_is_told"
"""Attribute of an error that names its cause already."""


def explain(error: BaseException | None, findings: Iterable[Finding], **facts: object) -> None:
    """Put the first finding that is a cause before what an error says, and what to do about it into its hint.

    Only what the appliance is to blame for is explained, and what a test asserts. ``facts`` fill in the hints.
    """
    if not isinstance(error, ApplianceFault | AssertionError) or hasattr(error, _TOLD):
        return
    cause = next((one for one in findings if one.name in CAUSES), None)
    if cause is None:
        return
    setattr(error, _TOLD, True)
    first = f"{cause.what} ({cause.line.at:.1f} s after power-on)"
    hint = CAUSES[cause.name].format_map(facts)
    if isinstance(error, AssertionError):
        error.args = ("\n".join([f"{first}; {hint}; then:", *map(str, error.args)]),)
        return
    error.what = f"{first}; then: {error.what}"
    error.hint = f"{hint}; {error.hint}" if error.hint else hint
    if str(cause.line) not in error.evidence:
        error.evidence = "\n".join(
            [*map(str, cause.evidence[-20:]), *([error.evidence] if error.evidence else [])]
        )
