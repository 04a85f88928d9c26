"""The first bad one of many versions: halved until it is found, each looked at by one row on one board."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.bump.checkout import git
from harness.errors import OptionError


def first_bad(
    candidates: Sequence[str], is_bad: Callable[[str], bool], *, say: Callable[[str], None] = lambda _: None
) -> str:
    """The first bad candidate, of which the first is known to be good, and the last to be bad.

    Raises OptionError for fewer than two.
    """
    if len(candidates) < 2:
        raise OptionError("there is nothing between the good and the bad one", hint="name two that differ")
    good, bad = 0, len(candidates) - 1
    while bad - good > 1:
        middle = (good + bad) // 2
        steps = math.ceil(math.log2(bad - good))
        say(f"{bad - good - 1} candidates left, at most {steps} steps: {candidates[middle]}")
        if is_bad(candidates[middle]):
            bad = middle
        else:
            good = middle
    return candidates[bad]


def commits(root: Path, good: str, bad: str) -> list[str]:
    """The commits from the good one to the bad one, both included, by first parents; raises OptionError."""
    ends = [git(root, "rev-parse", "--verify", "--quiet", f"{one}^{{commit}}").strip() for one in (good, bad)]
    for name, commit in zip((good, bad), ends, strict=True):
        if not commit:
            raise OptionError(f"this checkout has no commit {name!r}", where=str(root))
    between = git(root, "rev-list", "--first-parent", "--reverse", f"{ends[0]}..{ends[1]}").split()
    if ends[1] not in between:
        raise OptionError(f"{bad} does not come after {good}", where=str(root), hint="the good one is named first")
    return [ends[0], *between]
