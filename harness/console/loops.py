"""Recognises an appliance that starts again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.console.phases import Boot, Cause


@dataclass(frozen=True)
class LoopRule:
    """When starts become a loop: this many kernels, none of which came to serve, within these seconds."""

    starts: int = 3
    window: float = 300.0


_BEGIN_A_COUNT = (Cause.POWER_ON, Cause.RESTORED)


def reboot_loop(boots: Sequence[Boot], rule: LoopRule) -> list[Boot]:
    """Return the boots that make a loop, the last one included; empty when there is none.

    A reboot that was asked for, a power-on and a restored machine each begin a new count.
    """
    chain = list(boots[-rule.starts :])
    if len(chain) < rule.starts or chain[-1].started - chain[0].started > rule.window:
        return []
    for one, following in pairwise(chain):
        if one.ready or one.served or following.asked or following.cause in _BEGIN_A_COUNT:
            return []
    return chain
