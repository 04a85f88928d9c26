"""Where a run writes for its readers, tried before anything takes long."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

import pytest
from _pytest.junitxml import xml_key

from harness.errors import HarnessError, HostDiskFull, OptionError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def must_take_files(folder: Path, *, what: str, flag: str) -> None:
    """Make the folder and try to write there; raises OptionError naming the flag, or HostDiskFull."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise not_written(error, folder, what=what, flag=flag) from None


def must_take_results(config: pytest.Config, artifacts: Path, junit: str) -> None:
    """Raise OptionError if logs, report or JUnit XML cannot be written, before all tests have run for nothing.

    ``junit`` is the flag that names the XML file.
    """
    must_take_files(artifacts, what="logs and the report", flag="--gk-artifacts")
    log = config.stash.get(xml_key, None)
    if log is None:
        return
    try:
        must_take_files(Path(log.logfile).parent, what="the JUnit XML", flag=junit)
    except HarnessError:
        # It would try all the same, and fail with a traceback.
        config.pluginmanager.unregister(log)
        del config.stash[xml_key]
        raise


def not_written(error: OSError, folder: Path, *, what: str, flag: str) -> HarnessError:
    """The error that says so for what could not be written there."""
    if error.errno in _FULL:
        return HostDiskFull(
            f"no room on the disk for {what}", where=str(folder), hint=f"make room, or give {flag}"
        )
    return OptionError(
        f"{what} cannot be written here: {error.strerror}",
        where=str(folder),
        hint=f"give {flag} with a place that may be written to",
    )
