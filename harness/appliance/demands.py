"""Demands that a scenario makes by name, so that a known deviation of a pinned version is not a failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from harness.appliance.deviations import KNOWN, Deviation, alike, known
from harness.errors import ApplianceFault
from harness.image.model import Kernel


@contextmanager
def demand(
    name: str,
    modules: Mapping[str, str],
    kernel: Kernel,
    seen: dict[str, str],
    table: tuple[Deviation, ...] = KNOWN,
) -> Iterator[None]:
    """Tolerate a failure of the body that the table lists, and raise where a listed one did not happen.

    What was tolerated is put into ``seen``, under the demand and the module. A failure that only resembles a known
    one gets a note that says so. Raises AssertionError when a known deviation is gone: its row must be deleted.
    """
    match = known(name, modules, kernel, table)
    try:
        yield
    except (AssertionError, ApplianceFault) as error:
        if match is None:
            if note := alike(name, modules, kernel, table):
                error.add_note(note)
            raise
        seen[f"{name} ({match.row.name})"] = f"{match.row.evidence}; known by {match.known_by}"
        return
    if match is not None and match.sure:
        raise AssertionError(
            f"the known deviation {name!r} of {match.row.name} is gone: "
            "delete its row from harness/appliance/deviations.py"
        )
