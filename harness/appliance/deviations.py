"""Deviations: where a pinned upstream version is known not to do what a scenario demands.

The demand stays in the scenario. For exactly the module version that a row names, a failure is printed and counted
as a deviation. As soon as the demand is met the test fails, so that the row gets deleted. An image may not contain
the version of a module: then the files that this version brings identify it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.image.model import Kernel

_UNKNOWN = ("", "(local)")
"""Versions that say nothing about what is in a module."""


@dataclass(frozen=True)
class Deviation:
    """One known deviation: the ``demand`` of a scenario that ``module`` at ``version`` does not meet.

    ``brings`` is the kernel with its modules in that version, None for a module that has none.
    """

    demand: str
    module: str
    version: str
    evidence: str
    brings: Kernel | None = None
    in_all: bool = False
    """Whether every version so far has it: one is known by showing it, and no failure without it."""

    @property
    def name(self) -> str:
        """The module and its version."""
        return f"{self.module}@{self.version}"


KNOWN: tuple[Deviation, ...] = (
    Deviation(
        demand="kernel-and-modules-fit",
        module="github.com/gokrazy/kernel.amd64",
        version="v0.0.0-20260705070735-de680abf072b",
        evidence="vmlinuz is Linux 7.1.2, lib/modules is 7.1.3: no module of the image can be loaded "
        "(the class of gokrazy/gokrazy issue 114)",
        brings=Kernel(
            release="7.1.2",
            modules=("7.1.3",),
            sha256="276e5c6eefee7d955d3b6808d214b535561ce426789e3b4f53bd899474612525",
        ),
    ),
    Deviation(
        demand="pages-fit-400-pixels",
        module="github.com/gokrazy/gokrazy",
        version="v0.0.0-20260418085648-c38c3134b8a7",
        evidence="the header of the web interface is 501 pixels wide in any window (header.tmpl: width: 50ex)",
        in_all=True,
    ),
)


@dataclass(frozen=True)
class MatchedDeviation:
    """A row that fits an image, and how that is known."""

    row: Deviation
    known_by: str
    sure: bool = True
    """Whether it must show: else it is tolerated if it does."""


def known(
    demand: str, modules: Mapping[str, str], kernel: Kernel, table: tuple[Deviation, ...] = KNOWN
) -> MatchedDeviation | None:
    """Return the row for this demand that fits the image by a module's version or else its files, or None."""
    for row in table:
        if row.demand != demand:
            continue
        version = modules.get(row.module, "")
        if version == row.version:
            return MatchedDeviation(row, "its version")
        if version in _UNKNOWN and _is_the_file(kernel, row.brings):
            return MatchedDeviation(row, f"its files: vmlinuz has SHA-256 {kernel.sha256[:16]}")
        if row.in_all:
            return MatchedDeviation(row, "what it shows, as every version so far", sure=False)
    return None


def alike(demand: str, modules: Mapping[str, str], kernel: Kernel, table: tuple[Deviation, ...] = KNOWN) -> str:
    """Which known deviation a failure resembles and is not, and what distinguishes them; "" for none."""
    for row in table:
        brings = row.brings
        if row.demand != demand or brings is None:
            continue
        if (brings.release, brings.modules) == (kernel.release, kernel.modules):
            version = modules.get(row.module, "")
            differs = "vmlinuz is another file" if version in _UNKNOWN else f"the version is {version}"
            return f"It looks like the known deviation of {row.name}, but here {differs}: {row.evidence}"
    return ""


def _is_the_file(kernel: Kernel, brings: Kernel | None) -> bool:
    return brings is not None and (kernel.sha256, kernel.modules) == (brings.sha256, brings.modules)
