"""A run dealt out to several machines: each takes its share of the tests, by how long they last took.

Every share is computed from the whole, so the shares are disjoint and complete as long as all of them see the same
tests and the same durations: the header prints a digest of the latter, to be compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.run.durations import GUESS


@dataclass(frozen=True)
class Shard:
    """Share ``number`` (from 1) of ``of`` shares."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def take(self, names: Sequence[str], known: Mapping[str, float]) -> frozenset[str]:
        """The tests of this share; the longest are dealt first, each to the share that has the least to do."""
        loads = [0.0] * self.of
        mine = []
        for name in sorted(set(names), key=lambda name: (-known.get(name, GUESS), name)):
            least = loads.index(min(loads))
            # A test takes some time even if the record says 0.0: else all such tests land in one share.
            loads[least] += max(known.get(name, GUESS), 0.05)
            if least == self.number - 1:
                mine.append(name)
        return frozenset(mine)


def digest(known: Mapping[str, float]) -> str:
    """A short name for these durations, the same wherever they are the same."""
    return hashlib.sha256(json.dumps(dict(known), sort_keys=True).encode()).hexdigest()[:8] if known else "none"
