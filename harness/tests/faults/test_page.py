"""The page about faults lists each of them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

from harness import faults

PAGE = Path(__file__).resolve().parents[3] / "docs" / "faults.md"


def verbs() -> set[str]:
    """The public functions of all modules in faults, as a scenario names them."""
    found = set()
    for module in pkgutil.iter_modules(faults.__path__):
        for name, _ in inspect.getmembers(importlib.import_module(f"harness.faults.{module.name}"), _is_own):
            found.add(name if module.name == "events" else f"{module.name}.{name}")
    return found


def _is_own(member: object) -> bool:
    return (
        inspect.isfunction(member)
        and member.__module__.startswith("harness.faults.")
        and not member.__name__.startswith("_")
    )


@pytest.mark.skipif(not PAGE.is_file(), reason="not a clone: there is no page to compare with")
def test_the_page_lists_each_fault() -> None:
    rows = "\n".join(line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`((?:\w+\.)?\w+)[(`]", rows)) - {"finding", "boot", "seconds", "crasher"} >= verbs()
    assert {"power.cut", "disk.zero", "payload.cut_short", "after_each"} <= verbs()
