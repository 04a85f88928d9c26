"""Where a pinned upstream version is known not to do what a scenario demands.

The demand stays in the scenario. A row here turns its failure into a printed, counted deviation for exactly the
module versions it names, and turns the test red as soon as the demand is met, so that the row gets deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Deviation:
    """One known deviation: the ``demand`` of a scenario that ``module`` at ``version`` does not meet."""

    demand: str
    module: str
    version: str
    evidence: str


KNOWN: tuple[Deviation, ...] = (
    Deviation(
        demand="kernel-and-modules-fit",
        module="github.com/gokrazy/kernel.amd64",
        version="v0.0.0-20260705070735-de680abf072b",
        evidence="vmlinuz is Linux 7.1.2, lib/modules is 7.1.3: no module of the image can be loaded "
        "(the class of gokrazy/gokrazy issue 114)",
    ),
)


def known(demand: str, modules: Mapping[str, str], table: tuple[Deviation, ...] = KNOWN) -> Deviation | None:
    """Return the row for this demand that fits the image's module versions, or None."""
    for row in table:
        if row.demand == demand and modules.get(row.module) == row.version:
            return row
    return None
