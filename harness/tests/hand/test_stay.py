"""Somebody in front of an appliance without a terminal: it is shown, scripts command it, and it ends with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import HarnessError, KernelPanic, QemuFailed
from harness.hand import ctl
from harness.hand.ctl import FACTS, SOCKET, Running
from harness.hand.stay import FOR_SCRIPTS, Visit, stay
from harness.tests.console.replay import LINUX, PANIC
from harness.tests.hand.played import Played, played
from harness.tests.hand.test_show import Seen


class Staying:
    """A stay in a thread; ``said`` is what was said of it, ``error`` what it ended with."""

    def __init__(self, made: Played, folder: Path, *, boots: bool) -> None:
        self.made = made
        self.said: list[str] = []
        self.error: HarnessError | None = None
        self.out = Seen()
        self._folder = folder
        self._visit = Visit(None, self.out, str, boots=boots)
        self._commanded = threading.Event()
        self.thread = threading.Thread(target=self._stay)
        self.thread.start()
        assert self._commanded.wait(10)

    def _say(self, line: str) -> None:
        self.said.append(line)
        if line.startswith(FOR_SCRIPTS):
            self._commanded.set()

    def _stay(self) -> None:
        lab: Any = self.made.lab
        lab.journal = SimpleNamespace(say=self._say)
        lab.folders = SimpleNamespace(run_dir=SimpleNamespace(path=self._folder))
        appliance: Any = self.made.appliance
        try:
            stay(lab, appliance, self._visit, name="mine", title="mine on virt")
        except HarnessError as error:
            self.error = error

    def ends(self) -> bool:
        """Whether it is over within some seconds, and nothing of it is left."""
        self.thread.join(10)
        return not self.thread.is_alive() and not list(self._folder.glob("ctl*"))

    def quit(self) -> None:
        """What a script does who has had enough."""
        assert ctl.ask(Running("mine", "", self._folder / SOCKET), ["quit"], say=self.said.append)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    monkeypatch.setattr("harness.hand.show.BETWEEN", 0.05)
    folder = tmp_path / "machine"
    folder.mkdir()
    with played(folder) as one:
        yield one


def test_it_is_said_how_to_reach_it_and_a_script_commands_and_ends_it(made: Played, tmp_path: Path) -> None:
    staying = Staying(made, tmp_path, boots=False)
    assert any("web interface: http://127.0.0.1:40080/" in line for line in staying.said)
    assert any("ssh -p 40022 root@127.0.0.1" in line for line in staying.said)
    assert "mine on virt" in (tmp_path / FACTS).read_text()
    made.guest.say(LINUX)
    assert staying.out.wait_for("Linux version")
    staying.quit()
    assert staying.ends()
    assert staying.error is None
    assert made.appliance.asked == [], "what stood where a test failed is not awaited"


def test_one_that_boots_is_awaited_and_ends_with_what_it_crashed_of(made: Played, tmp_path: Path) -> None:
    staying = Staying(made, tmp_path, boots=True)
    made.guest.say(LINUX)
    made.guest.say(PANIC)
    assert staying.ends()
    assert isinstance(staying.error, KernelPanic)
    assert made.appliance.asked == ["wait_until_ready"]


def test_one_that_is_broken_stays_to_be_looked_at(made: Played, tmp_path: Path) -> None:
    staying = Staying(made, tmp_path, boots=False)
    made.guest.say(LINUX)
    made.guest.say(PANIC)
    assert staying.out.wait_for("Kernel panic")
    with pytest.raises(KernelPanic):
        made.appliance.console.wait_for_line("never", timeout=10)
    assert staying.thread.is_alive()
    staying.quit()
    assert staying.ends()
    assert staying.error is None


@pytest.mark.parametrize("boots", [True, False])
def test_what_qemu_failed_of_is_raised(made: Played, tmp_path: Path, boots: bool) -> None:
    def fails() -> None:
        raise QemuFailed("a signal ended it")

    staying = Staying(made, tmp_path, boots=boots)
    made.appliance.power.check = fails  # type: ignore[method-assign]
    assert staying.ends()
    assert isinstance(staying.error, QemuFailed)
