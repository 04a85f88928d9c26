"""Causes: what the kernel said that explains a later failure better than the failure's own words."""

from __future__ import annotations

from collections.abc import Iterable

from harness.console.checks.kernel import MEMORY_SHORT
from harness.console.findings import Finding
from harness.errors import ApplianceFault, DeviceUnreachable, WaitTimeout

_SILENT = (DeviceUnreachable, WaitTimeout)
_EXPLAINED = "gk_cause_is_told"
"""Attribute of an error that names its cause already."""


SCARCE = 0.1
"""The share of its memory below which a device spends its time on finding some, before the kernel kills for it."""


def explain(
    error: BaseException | None,
    findings: Iterable[Finding],
    memory_left: tuple[int, int] | None = None,
    **facts: object,
) -> str:
    """Put the first finding that is a cause before what an error says, and what to do about it into its hint.

    Only two kinds of errors are explained: those of the appliance, and assertions of a test. ``memory_left`` is
    what a device that no longer answers said last: bytes left, and bytes in all. ``facts`` fill in the hints.
    Returns which cause stands there, "" when there is none; the same at a later call.
    """
    if not isinstance(error, ApplianceFault | AssertionError):
        return ""
    if hasattr(error, _EXPLAINED):
        return str(getattr(error, _EXPLAINED))
    cause = next((one for one in findings if one.cause), None)
    if cause is not None:
        first = f"{cause.what} ({cause.line.at:.1f} s after power-on)"
        hint = cause.cause.format_map(facts)
    elif isinstance(error, _SILENT) and memory_left is not None and memory_left[0] < SCARCE * memory_left[1]:
        left, whole = (amount >> 20 for amount in memory_left)
        first = f"memory runs out: {left} of {whole} MiB were left when the device last answered"
        hint = MEMORY_SHORT.format_map(facts)
    else:
        return ""
    name = cause.name if cause is not None else "memory"
    setattr(error, _EXPLAINED, name)
    if isinstance(error, AssertionError):
        error.args = ("\n".join([f"{first}; {hint}; then:", *map(str, error.args)]),)
        return name
    error.what = f"{first}; then: {error.what}"
    error.hint = f"{hint}; {error.hint}" if error.hint else hint
    if cause is not None and str(cause.line) not in error.evidence:
        error.evidence = "\n".join(
            [*map(str, cause.evidence[-20:]), *([error.evidence] if error.evidence else [])]
        )
    return name
