"""Literals: the plain words without which a pattern cannot fit, so that most lines are looked through quickly."""

from __future__ import annotations

import re

SHORTEST = 3
"""Characters; what is shorter is in most lines."""

_TOKEN = re.compile(
    r"(?P<group>\(\?:|\(\?<?[=!]|\(\?P?<\w+>|\()|(?P<close>\))|(?P<bar>\|)"
    r"|(?P<set>\[\^?\]?(?:\\.|[^\]])*\])|(?P<repeat>(?:[*?+]|\{\d*,?\d*\})[?+]?)"
    r"|(?P<plain>\\[^\w]|[^\\.^$])|(?P<other>\\x..|\\u.{4}|\\U.{8}|\\N\{[^}]*\}|\\\d+|\\.|.)",
    re.DOTALL,
)


def literals(pattern: re.Pattern[str]) -> tuple[str, ...]:
    """Return words of which a line that the pattern fits has at least one; empty where none is known."""
    if pattern.flags & (re.IGNORECASE | re.VERBOSE):
        return ()
    found: list[str] = []
    runs, run, depth = [""], "", 0
    for token in _TOKEN.finditer(pattern.pattern):
        kind = token.lastgroup
        depth += (kind == "group") - (kind == "close")
        if kind == "plain" and not depth:
            run += token[0][-1]
            continue
        # What stands before a repetition may be missing, or come twice.
        runs.append(run[:-1] if kind == "repeat" else run)
        run = ""
        if kind == "bar" and not depth:
            found.append(max(runs, key=len))
            runs = [""]
    found.append(max([*runs, run], key=len))
    return tuple(dict.fromkeys(found)) if min(map(len, found)) >= SHORTEST else ()
