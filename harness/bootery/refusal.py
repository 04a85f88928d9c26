"""Refusal: an answer of the bootery that is no success, with its HTTP status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from harness.errors import Fault, HarnessError


@dataclass(eq=False)
class Refusal(Exception):
    """Why a request gets something else than 200."""

    status: HTTPStatus
    why: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.why


class CallerGone(Exception):
    """Whoever made the request has gone: nobody is left to be answered."""


def status_of(error: BaseException) -> HTTPStatus:
    """500 where what was uploaded failed; 503 where nobody could find out, for a reason that lies here."""
    fault = error.fault if isinstance(error, HarnessError) else Fault.HARNESS
    blamed = fault in (Fault.APPLIANCE, Fault.USER)
    return HTTPStatus.INTERNAL_SERVER_ERROR if blamed else HTTPStatus.SERVICE_UNAVAILABLE
