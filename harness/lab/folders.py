"""Folders: where a run keeps what it makes on this host, opened when the first of them is needed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HostDiskFull
from harness.lab.journal import Journal

if TYPE_CHECKING:
    from harness.machine.run_dir import RunDir


class Folders:
    """The folders of a run, and the guard over them; a run that only collects tests opens none."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._run_dir: RunDir | None = None

    @property
    def run_dir(self) -> RunDir:
        """The private folder of this run."""
        if self._run_dir is None:
            # Imported here: the guard belongs to QEMU's side, which collecting tests does without.
            from harness.machine.run_dir import RunDir

            self._run_dir = RunDir()
            if self._run_dir.removed:
                count = len(self._run_dir.removed)
                self._journal.note(f"removed what {count} runs left that died with their host")
        return self._run_dir

    def folder(self, name: str, *, bulky: bool = False) -> Path:
        """Make a new folder, ``bulky`` for disks; raises HostDiskFull."""
        return self.run_dir.folder(name, bulky=bulky)

    def close(self) -> None:
        """End every machine of the run and remove all folders."""
        if self._run_dir is not None:
            self._run_dir.close()
            self._run_dir = None


def fresh(folder: Path) -> Path:
    """A folder with nothing of an earlier run in it; raises HostDiskFull."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise HostDiskFull(f"cannot keep logs any more: {error.strerror}", where=str(folder)) from error
    return folder


def slug(name: str) -> str:
    """A test's name as a folder's."""
    return re.sub(r"[^A-Za-z0-9.=-]+", "_", name.replace(".py::", "-")).strip("_")
