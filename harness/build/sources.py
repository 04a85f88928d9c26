"""Sources: the files of this host that an instance is built from, seen by their states."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Mapping
from pathlib import Path

from harness.build.extrafiles import configured
from harness.build.gomod import module_roots
from harness.build.instance import Instance
from harness.build.instance_copy import NOT_BUILT_FROM

OF_EDITORS = (".*.sw?", "*~", ".#*", "#*#", "4913", ".*.tmp")
"""Names of files that editors keep beside what they edit."""

States = Mapping[Path, tuple[int, int, int]]
"""Each file: its number, size and time of change."""


def places(instance: Instance) -> tuple[Path, ...]:
    """The instance's folder, its modules on this host, and the files that it adds; raises ConfigError."""
    packages = [*(instance.config.gokrazy_packages or ()), *instance.config.packages]
    roots = module_roots(instance.folder, packages)
    modules = [folder for root in roots for folder in root.links.values()]
    extras = [extra.origin for extra in configured(instance) if extra.origin is not None]
    return tuple(dict.fromkeys([instance.folder, *modules, *extras]))


def states(found: tuple[Path, ...]) -> States:
    """The states of all files in these places, version control and files of editors aside."""
    seen: dict[Path, tuple[int, int, int]] = {}
    for place in found:
        if place.is_file():
            _look(place, seen)
        for parent, folders, names in os.walk(place):
            folders[:] = [name for name in folders if name not in NOT_BUILT_FROM]
            for name in names:
                if not any(fnmatch.fnmatchcase(name, pattern) for pattern in OF_EDITORS):
                    _look(Path(parent, name), seen)
    return seen


def changed(before: States, after: States) -> list[Path]:
    """The files that came, went or changed, by name."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def _look(path: Path, seen: dict[Path, tuple[int, int, int]]) -> None:
    try:
        status = path.stat()
    except OSError:
        # It has gone meanwhile, or is a link to nothing.
        return
    seen[path] = status.st_ino, status.st_size, status.st_mtime_ns
