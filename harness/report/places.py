"""Where a run writes for its readers, tried before anything takes long."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from _pytest.junitxml import xml_key

from harness.errors import DISK_FULL, HarnessError, HostDiskFull, OptionError
from harness.options import Settings

PAGE = "report.html"
"""The name of the page."""


def must_take_files(folder: Path, *, what: str, flag: str) -> None:
    """Make the folder and try to write there; raises OptionError naming the flag, or HostDiskFull."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise not_written(error, folder, what=what, flag=flag) from None


def must_keep_images(settings: Settings) -> None:
    """Raise OptionError if what is built or booted once cannot be kept in the cache."""
    if settings.image is None or settings.warm == "persist":
        must_take_files(settings.cache_root, what="what is built", flag="--gk-cache")


def must_take_machines(settings: Settings) -> None:
    """Raise OptionError if the logs of machines, or what they are made of, cannot be written."""
    must_take_files(settings.artifacts, what="logs", flag="--gk-artifacts")
    must_keep_images(settings)


def must_take_results(config: pytest.Config, settings: Settings, junit: str) -> None:
    """Raise OptionError if images, logs, report or JUnit XML cannot be written, before tests have run for nothing.

    ``junit`` is the flag that names the XML file.
    """
    must_take_files(settings.artifacts, what="logs and the report", flag="--gk-artifacts")
    if settings.report_json is not None:
        must_take_files(settings.report_json.parent, what="the report as JSON", flag="--gk-report-json")
    if settings.history is not None:
        must_take_files(settings.history.parent, what="the history of boot times", flag="--gk-history")
    must_keep_images(settings)
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
    if error.errno in DISK_FULL:
        return HostDiskFull(
            f"no room on the disk for {what}", where=str(folder), hint=f"make room, or give {flag}"
        )
    return OptionError(
        f"{what} cannot be written here: {error.strerror}",
        where=str(folder),
        hint=f"give {flag} with a place that may be written to",
    )
