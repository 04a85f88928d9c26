"""One way to break an appliance, and what the run of its tests must then say: the record of a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.tests.verdict.damage import Damage


@dataclass(frozen=True)
class Red:
    """What a developer must read of the test that turns red."""

    test: str
    """The function of the test; "" where the run is refused before any test."""
    kind: str
    """The class of the error; a run that is refused shows none."""
    first: str
    """A pattern in the first line: the cause."""
    to_do: str = r"\w"
    """A pattern in the hint."""
    fault: str = "APPLIANCE"
    """Whose fault it is."""


def refused(first: str, to_do: str = r"\w") -> Red:
    """The run is a usage error, before any test."""
    return Red("", "", first, to_do, "USER")


@dataclass(frozen=True)
class Way:
    """A row; exactly one of the three says how it is broken."""

    name: str
    red: Red
    damage: Damage | None = None
    """To a finished image, which is then checked as its owner does."""
    instance: Callable[[Path], None] | None = None
    """To a copy of an instance, likewise."""
    act: str = ""
    """A test of acts.py that breaks its appliance, and then goes on as any test would."""
    board: str = "virt"
    tests: str = "test_boot and power_on"
    """Which scenarios are run, for pytest's ``-k``."""
    subject: str = "{damaged}"
    """What is checked: the damaged image, the ``{healthy}`` one, or one of a ``{foreign}`` architecture."""
    options: tuple[str, ...] = ()
    """Of ``gokharness check``; the images are named as above, and ``{other}`` is a file with a wrong password."""
    faster: float = 1.0
    """What all time limits are multiplied with, where they must be waited for."""
    tier: str = "nightly"
    """When it runs; ``ci`` has one of each kind."""
