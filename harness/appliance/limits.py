"""Limits: how large and how slow an image may be, as its owner says (``gk_limits``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from harness.errors import OptionError


@dataclass(frozen=True)
class Limits:
    """The most that there may be of each; None where nothing was said."""

    boot: float | None = None
    """Seconds from power-on to its web interface, as a ratio to those of the project's own image."""
    memory: float | None = None
    """MiB of memory that are in use when it is at rest."""
    root: float | None = None
    """MiB of the root file system."""
    bootfs: float | None = None
    """MiB of the boot file system."""


NAMES = tuple(one.name for one in fields(Limits))


def limits(said: Sequence[str]) -> Limits:
    """Read the option: ``NAME: NUMBER`` each; raises OptionError."""
    found: dict[str, float] = {}
    for line in said:
        for part in filter(None, (one.strip() for one in line.replace(",", "\n").splitlines())):
            name, _, number = (one.strip() for one in part.partition(":"))
            if name not in NAMES:
                raise OptionError(
                    f"--gk-limits does not know {part!r}",
                    hint=f"write a name and the most that it may be, such as root: 40; names: {', '.join(NAMES)}",
                )
            if name in found:
                raise OptionError(f"--gk-limits names {name} twice", hint="leave one of them out")
            found[name] = _number(name, number)
    return Limits(**found)


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise OptionError(f"--gk-limits {name}: {text!r} is not a number above 0", hint=f"for example {name}: 1.2")
    return number
