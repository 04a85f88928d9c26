"""How pytest-xdist deals the tests out: all tests of one board go to one process, which boots and captures once.

xdist's own ``--dist loadgroup`` does this by rewriting node ids, which current versions of pytest ignore, so the
board is read from the test's parameters instead. Imported only when xdist asks for a scheduler.
"""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from harness import boards

PARAMETERS = re.compile(r"\[([^\]]*)\]$")


class BoardScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Deals out boards; a test without a board is a group of its own."""

    def _split_scope(self, nodeid: str) -> str:
        found = PARAMETERS.search(nodeid)
        # A board's name may have a dash in it, and so may join it to other parameters.
        name = f"-{found[1]}-" if found else ""
        for board in sorted(boards.NAMES, key=len, reverse=True):
            if f"-{board}-" in name:
                return board
        return nodeid
