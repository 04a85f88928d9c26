"""Demands that a scenario makes by name, so that a known deviation of a pinned upstream version can be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from harness.deviations import KNOWN, Deviation, known
from harness.errors import ApplianceFault


@contextmanager
def demand(
    name: str,
    modules: Mapping[str, str],
    seen: dict[str, str],
    table: tuple[Deviation, ...] = KNOWN,
) -> Iterator[None]:
    """Let the body fail only if the table knows of it, and insist that it fails if the table says so.

    What was tolerated is put into ``seen`` under the demand and the module. Raises AssertionError when a known
    deviation is gone: its row must then be deleted.
    """
    row = known(name, modules, table)
    try:
        yield
    except (AssertionError, ApplianceFault):
        if row is None:
            raise
        seen[f"{name} ({row.module}@{row.version})"] = row.evidence
        return
    if row is not None:
        raise AssertionError(
            f"the known deviation {name!r} of {row.module}@{row.version} is gone: delete its row from "
            f"harness/deviations.py"
        )
