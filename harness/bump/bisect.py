"""The first bad one of many versions: halved until it is found, each looked at by one row on one board."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.bump.checkout import git
from harness.errors import OptionError


def first_bad(
    candidates: Sequence[str],
    is_bad: Callable[[str], bool | None],
    *,
    say: Callable[[str], None] = lambda _: None,
) -> str:
    """The first bad candidate, of which the first is known to be good, and the last to be bad.

    ``is_bad`` returns None for one that cannot be tried: it is passed over. ``say`` gets the steps that are left,
    and in the end those that may be the first bad one as well. Raises OptionError for fewer than two.
    """
    if len(candidates) < 2:
        raise OptionError("there is nothing between the good and the bad one", hint="name two that differ")
    good, bad = 0, len(candidates) - 1
    untried = set[int]()
    while between := [number for number in range(good + 1, bad) if number not in untried]:
        middle = between[(len(between) - 1) // 2]
        steps = math.ceil(math.log2(len(between) + 1))
        say(f"{len(between)} candidates left, at most {steps} steps: {candidates[middle]}")
        found = is_bad(candidates[middle])
        if found is None:
            untried.add(middle)
        elif found:
            bad = middle
        else:
            good = middle
    if passed := [candidates[number] for number in range(good + 1, bad)]:
        say(f"the first bad one may also be one of {len(passed)} that cannot be tried: {', '.join(passed)}")
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


def bisects(folder: Path) -> bool:
    """Whether git bisects the checkout that a folder is in."""
    try:
        mark = git(folder, "rev-parse", "--git-path", "BISECT_START").strip()
    except OptionError:
        return False
    return bool(mark) and (folder / mark).exists()
