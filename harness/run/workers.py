"""The workers of pytest-xdist on this host: what their controller and they send each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.lifetime.lifeline import end_with_parent
from harness.options import OPTIONS, PLACES

CONTROLLER = "gk_controller"
"""Sent to a worker: the process that it works for."""
SHARED = "gk_shared"
"""Sent to a worker: the folder for what all of them use."""
STOPPED = "gk_stopped"
"""Sent by a worker: why it could not begin, and the exit status for that."""


class Controller:
    """A plugin object for the process that has the workers; ``folder`` makes the one that they share.

    ``said`` is what the options say, with absolute paths.
    """

    def __init__(self, folder: Callable[[], Path], said: Mapping[str, object]) -> None:
        self._folder = folder
        self._places = {option.ini: said[option.ini] for option in OPTIONS if option.place}
        self._shared: Path | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Hand a worker on this host the id of its controller, and the folder that all workers share."""
        if not node.gateway.spec.popen:
            return
        if self._shared is None:
            self._shared = self._folder()
        node.workerinput.update({CONTROLLER: os.getpid(), SHARED: str(self._shared), PLACES: self._places})

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """End the run as the worker wants it that could not begin; xdist would call that a crash."""
        stopped = getattr(node, "workeroutput", {}).get(STOPPED)
        if stopped is not None:
            reason, status = stopped
            pytest.exit(reason, returncode=status)


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker."""
    return hasattr(config, "workerinput")


def must_be_alone(config: pytest.Config, flag: str) -> None:
    """Raise pytest's UsageError where an option for one process meets several."""
    if is_worker(config) or config.getoption("numprocesses", None) or config.getoption("tx", None):
        raise pytest.UsageError(f"{flag} is for one process: leave out -n (pytest-xdist)")


def end_with_controller(config: pytest.Config) -> None:
    """See to it that a worker on this host does not outlive the process that it works for."""
    controller = getattr(config, "workerinput", {}).get(CONTROLLER)
    if controller is not None:
        end_with_parent(controller)


def shared_folder(config: pytest.Config) -> Path | None:
    """The folder that a worker shares with the others; None for whoever is none, or works for another host."""
    shared = getattr(config, "workerinput", {}).get(SHARED)
    return Path(shared) if shared else None


def report_stopped(config: pytest.Config, error: HarnessError) -> None:
    """Have the run end with this error, if it is a worker whom it stops."""
    if is_worker(config):
        config.workeroutput[STOPPED] = [str(error), error.fault.value]  # type: ignore[attr-defined]
