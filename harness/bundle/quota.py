"""Quota: which tests of one process get a bundle."""

from __future__ import annotations

PROPERTY = "gk_bundle"
"""Of a test with a bundle, in JUnit as well: the line to copy."""
MOST = 3
"""Bundles of one process, where nobody says of what: the first failures say most of what the others do."""


class Quota:
    """Which tests of one process get a bundle, as ``--gk-bundle`` says."""

    def __init__(self, which: str | None) -> None:
        self._which = which
        self._made = 0

    def takes(self, *, failed: bool) -> bool:
        """Whether a test with this outcome gets one; asked once for each."""
        if self._which == "off" or not (failed or self._which == "all"):
            return False
        self._made += 1
        return self._which is not None or self._made <= MOST
