"""A copy of an instance for a program that writes into it, seen from the same place as the instance itself.

The copy lies at the instance's own path, below a folder that stands for the root of this machine. Each folder on
the way holds links to the instance's real neighbours, so a relative path leads from the copy to the same files.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from harness.errors import ConfigError

WRITTEN = frozenset({"builddir", "go.mod", "go.sum"})
"""What gok and Go write to: in the copy these are files of its own, also where the instance has links."""
NOT_BUILT_FROM = frozenset({".git", ".hg", ".jj", ".svn"})
"""Folders of version control: no image has anything of them."""
LARGE = 64 << 20
"""Bytes: what is larger is linked, since it is a payload or somebody's disk image."""


def copy_instance(folder: Path, top: Path) -> Path:
    """Copy an instance to its own path below ``top``, a new folder; raises ConfigError.

    ``folder`` has no link in it. What the user may not read becomes a link: whoever needs it says so.
    """
    here, real = top, Path(folder.anchor)
    here.mkdir(parents=True)
    for name in folder.parts[1:]:
        _link_neighbours(real, here, but=name)
        here, real = here / name, real / name
        here.mkdir()
    try:
        _copy(folder, here, own=WRITTEN, above=())
    except OSError as error:
        raise ConfigError(f"the instance cannot be copied: {error.strerror}", where=str(error.filename)) from error
    return here


def _link_neighbours(real: Path, here: Path, *, but: str) -> None:
    try:
        neighbours = list(real.iterdir())
    except PermissionError:
        return
    for neighbour in neighbours:
        if neighbour.name != but and neighbour.name not in NOT_BUILT_FROM:
            (here / neighbour.name).symlink_to(neighbour)


def _copy(folder: Path, dest: Path, *, own: frozenset[str] | None, above: tuple[Path, ...]) -> None:
    """Copy what is in a folder; links become files where their name is in ``own``, all of them when None."""
    above = (*above, folder.resolve())
    for entry in folder.iterdir():
        target = dest / entry.name
        is_own = own is None or entry.name in own
        if entry.name in NOT_BUILT_FROM:
            continue
        if entry.is_symlink() and not (is_own and entry.exists()):
            target.symlink_to(entry.readlink())
        elif entry.is_dir():
            # Go takes no packages out of hidden folders: artifacts and environments, thousands of files.
            is_hidden = not is_own and entry.name.startswith(".")
            if is_hidden or not os.access(entry, os.R_OK | os.X_OK):
                target.symlink_to(entry)
            elif entry.resolve() not in above:  # a link to a folder that it lies in has no end
                target.mkdir()
                _copy(entry, target, own=None if is_own else frozenset(), above=above)
        elif entry.is_file():
            _copy_file(entry, target)


def _copy_file(entry: Path, target: Path) -> None:
    status = entry.stat()
    if status.st_size > LARGE or not os.access(entry, os.R_OK):
        target.symlink_to(entry)
        return
    shutil.copy2(entry, target)
    target.chmod(stat.S_IMODE(status.st_mode) | stat.S_IWUSR)
