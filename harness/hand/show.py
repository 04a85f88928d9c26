"""Shows a console to whoever only watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from harness.console.console import Console
from harness.console.match import Mark

START = Mark(0)
BETWEEN = 1.0
"""Seconds between two looks whether a machine that has ended is off for good; after a reset it starts again."""


def show(console: Console, *, goes_on: Callable[[], bool], out: TextIO) -> None:
    """Write out what it says and has said, while it goes on; raises what ``goes_on`` raises, at last."""
    shown = START
    on = True
    while on:
        try:
            on = goes_on()
            console.wait_for_more(shown, at_most=BETWEEN)
        finally:
            mark = console.mark()
            out.write(console.since(shown))
            out.flush()
            shown = mark
