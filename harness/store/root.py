"""The folder for all that is kept between runs: built images, snapshots, what is known of this host."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def default_root(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of the cache: $XDG_CACHE_HOME/gokharness, else ~/.cache/gokharness."""
    if given := environ.get("XDG_CACHE_HOME"):
        return Path(given) / "gokharness"
    return Path(environ.get("HOME") or Path.home()) / ".cache" / "gokharness"
