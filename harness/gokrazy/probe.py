"""What one cheap try to reach a device finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from harness.errors import HarnessError
from harness.gokrazy.status import Status
from harness.gokrazy.transport import Trouble


class Reach(Enum):
    """How far a request gets."""

    READY = "it answers"
    UNAUTHORISED = "it refuses the password"
    REFUSED = "connection refused"
    RESET = "connection accepted, then dropped"
    SILENT = "no answer in time"
    REDIRECTED = "it sends everybody to https"
    UNUSABLE = "it answers with an error"
    """Or with something else than HTTP, or with a certificate that is not trusted: waiting will not help."""


@dataclass(frozen=True)
class Probe:
    """What one cheap try found."""

    reach: Reach
    seen: str
    """In words."""
    status: Status | None = None
    """The front page, when it came."""
    error: HarnessError | None = None
    """What a call in earnest would have raised."""


REACH = {
    Trouble.REFUSED: Reach.REFUSED,
    Trouble.RESET: Reach.RESET,
    Trouble.SILENT: Reach.SILENT,
    Trouble.NO_ROUTE: Reach.SILENT,
    Trouble.CERTIFICATE: Reach.UNUSABLE,
    Trouble.NOT_HTTP: Reach.UNUSABLE,
}
"""How far a request gets that has no answer, by why it has none."""
FINAL = (Reach.UNAUTHORISED, Reach.REDIRECTED, Reach.UNUSABLE)
"""Waiting will not help with these."""
