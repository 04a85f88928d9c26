"""Pause: pytest stops where a test failed, with its machine alive, until somebody has seen enough."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from harness.errors import AcceleratorFailed, HarnessError, caused_by
from harness.hand.bell import Bell
from harness.hand.ctl import Desk, free_name
from harness.hand.hand import Hand

if TYPE_CHECKING:
    from _pytest.capture import CaptureManager

    from harness.appliance.appliance import Appliance
    from harness.lab.lab import Lab

FLAG = "--gk-pause"


def check(config: pytest.Config) -> None:
    """Raise pytest's UsageError where nobody could press Enter."""
    if config.getoption("capture") == "no":
        return
    capture = _capture(config)
    if capture is not None:
        # It has put something else in the place of stdin, until the session begins.
        capture.suspend_global_capture(in_=True)
    if not sys.stdin.isatty():
        raise pytest.UsageError(f"{FLAG} needs a terminal to press Enter at, or --capture=no")


class Pause:
    """A pytest plugin object; ``lab`` gives that of the run once there is one."""

    def __init__(self, config: pytest.Config, lab: Callable[[], Lab | None], words: Callable[[str], str]) -> None:
        self._config = config
        self._lab = lab
        self._words = words
        self._open = ExitStack()

    @pytest.hookimpl(tryfirst=True)
    def pytest_exception_interact(
        self, node: pytest.Item | pytest.Collector, call: pytest.CallInfo[object]
    ) -> None:
        """Stop at a test that failed; with ``--pdb`` the debugger comes next, and does the waiting."""
        lab = self._lab()
        appliance = lab.live(node.nodeid) if lab is not None else None
        error = call.excinfo.value if call.excinfo is not None else None
        if lab is None or appliance is None or caused_by(error, AcceleratorFailed):
            return
        if appliance.power.is_on or call.when == "call":
            waits = not self._config.getoption("usepdb")
            self._stop(lab, appliance, f"{node.nodeid} failed in its {call.when}", error, waits=waits)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """The machine ends soon: nobody commands it any more."""
        self._open.close()

    def failed_start(self, appliance: Appliance, error: HarnessError) -> None:
        """Stop at an appliance that did not come up."""
        lab = self._lab()
        if lab is not None:
            self._stop(lab, appliance, f"{appliance.console.name} did not come up", error, waits=True)
            self._open.close()

    def _stop(
        self, lab: Lab, appliance: Appliance, title: str, error: BaseException | None, *, waits: bool
    ) -> None:
        """Say how to reach the machine, have it take commands, and wait for Enter or its ``quit``."""
        self._open.close()
        bell = self._open.enter_context(Bell())
        name = free_name(appliance.image.hostname, given=False)
        hand = Hand(lab, appliance, name=name, quit=bell.ring, words=self._words)
        self._open.enter_context(Desk(hand, lab.folders.run_dir.path, title=title))
        capture = _capture(self._config)
        if capture is not None:
            capture.suspend(in_=True)
        try:
            self._say(hand, title, error)
            if waits:
                self._wait(bell)
        finally:
            if capture is not None:
                capture.resume()

    def _say(self, hand: Hand, title: str, error: BaseException | None) -> None:
        writer = self._config.get_terminal_writer()
        writer.line()
        writer.sep(">", f"gokrazy: paused: {title}")
        if isinstance(error, HarnessError):
            writer.line(self._words(error.what))
        for line in (
            *hand.where().splitlines(),
            f"commands: gokharness ctl --name {hand.name} help",
            f"console so far: {hand.appliance.console.recording.folder / 'console.log'}",
        ):
            writer.line(line)

    def _wait(self, bell: Bell) -> None:
        writer = self._config.get_terminal_writer()
        keys = sys.stdin.fileno()
        writer.line("Enter goes on, and ends the machine")
        writer.flush()
        if bell.wait_for_keys(keys) is None and not bell.rung:
            # Its stdin has ended, and with --capture=no that is no reason to go on.
            writer.line("nobody can press Enter here: 'gokharness ctl quit' goes on")
            writer.flush()
            bell.wait()


def _capture(config: pytest.Config) -> CaptureManager | None:
    return config.pluginmanager.getplugin("capturemanager")  # type: ignore[no-any-return]
