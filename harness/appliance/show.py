"""Shows the console of an appliance to whoever watches, until the appliance ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from harness.appliance.appliance import Appliance

BETWEEN = 1.0
"""Seconds between two looks whether a machine that has ended is off for good; after a reset it starts again."""


def show(appliance: Appliance, *, say: Callable[[str], None], out: TextIO) -> None:
    """Switch it on, say which ports lead to it, and write out what its console says; raises what it crashed of."""
    appliance.power_on()
    if appliance.voice.why:
        say(f"gokrazy: init is not heard on this console: {appliance.voice.why}")
    for port, here in appliance.power.ports.items():
        say(f"gokrazy: port {port}: 127.0.0.1:{here}")
    console, power = appliance.console, appliance.power
    shown = console.mark()
    while power.is_on:
        try:
            console.wait_for_more(shown, ended=BETWEEN)
        finally:
            mark = console.mark()
            out.write(console.since(shown))
            out.flush()
            shown = mark
