"""The options of a run that are about its consoles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.option import Option, words

if TYPE_CHECKING:
    from harness.console.check import Check
    from harness.console.crashes import Table

# What is not on the way of ``pytest --help`` is imported where it is needed.


def _checks(value: object) -> tuple[Check, ...]:
    from harness.console.own_checks import own_check, own_checks

    return own_checks(own_check(row) for row in words(value))


def _excuses(value: object) -> tuple[tuple[str, str], ...]:
    from harness.console.own_checks import excuses

    return tuple(excuses(words(value)).items())


@dataclass(frozen=True, kw_only=True)
class ConsoleOptions:
    """What is looked for on the consoles of a run, and what they may say."""

    console_check: tuple[Check, ...] = Option(
        "console-check",
        "a further thing to look for on the console: its name, 'fatal' or 'noted', a pattern, and what it means; "
        "may be repeated (docs/console.md)",
        kind="lines",
        metavar="NAME:SEVERITY:PATTERN->MEANING",
        reader=_checks,
        commands=("check",),
    ).default(())
    allow: tuple[tuple[str, str], ...] = Option(
        "allow",
        "what the console may say in every test, and why, such as 'oom-kill: the browser is too big for this "
        "board'; may be repeated (docs/console.md)",
        kind="lines",
        metavar="CHECK:REASON",
        reader=_excuses,
        commands=("check",),
    ).default(())

    @cached_property
    def table(self) -> Table:
        """The checks of the console; raises OptionError."""
        from harness.console.crashes import Table

        return Table(self.console_check, excused=dict(self.allow))
