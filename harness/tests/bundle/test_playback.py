"""A machine that runs again is compared byte for byte, and neither waits for nothing nor ends too early."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.bundle import playback as module
from harness.bundle.playback import Heard, Playback, keep_place
from harness.errors import QemuFailed
from harness.machine.execution_log import ExecutionLog
from harness.machine.qmp import Event


class Played:
    """A machine that says a piece at each look, and has ended when it has said all."""

    def __init__(self, heard: Heard, *pieces: bytes, ends: bool = True, steps_back: bool = False) -> None:
        self.heard, self.pieces, self.ends = heard, list(pieces), ends
        self.board = SimpleNamespace(name="virt")
        self.ended: object = None
        self.hmp_lines: list[str] = []
        self.answers: list[str] = []
        self.paused = self.stopped = False
        self.instructions = 0
        self.runs = True
        log = ExecutionLog(Path("/r/log"), "replay", "begin" if steps_back else "")
        self.launch = SimpleNamespace(log=log)
        self.events: list[Event] = []
        self.saved: list[Any] = []
        self.dismissed: list[str] = []
        self.job_error, self.concludes = "", True

    def start_paused(self) -> None:
        here, self.console = socket.socketpair()
        self.heard.listen(here)

    def resume(self) -> None:
        self._say()

    def check(self) -> None:
        pass

    def execute(self, name: str, arguments: Any = None) -> Any:
        if name == "snapshot-save":
            self.saved.append((arguments["tag"], arguments["vmstate"], arguments["devices"]))
            if self.concludes:
                self.events.append(Event("JOB_STATUS_CHANGE", {"id": arguments["tag"], "status": "concluded"}))
            return None
        if name == "query-jobs":
            return [{"id": tag, "error": self.job_error} for tag, _, _ in self.saved]
        if name == "job-dismiss":
            return self.dismissed.append(arguments["id"])
        if self.ended is not None:
            raise QemuFailed("QEMU was gone before it answered")
        answer = {"query-status": {"running": self.runs}, "query-replay": {"icount": self.instructions}}[name]
        if name == "query-replay":
            self._say()
        return answer

    def _say(self) -> None:
        if self.pieces:
            self.instructions += 1
            self.console.sendall(self.pieces.pop(0))
        elif self.ends and self.ended is None:
            self.console.close()
            self.ended = "it ended"

    def hmp(self, line: str, **_: float) -> str:
        self.hmp_lines.append(line)
        return self.answers.pop(0) if self.answers else ""

    def wait_exit(self, _: float) -> object:
        return self.ended

    def wait_event(self, wanted: Any, _: float, *, since: int) -> Event | None:
        return next(filter(wanted, self.events[since:]), None)

    def pause(self) -> None:
        self.paused = True

    def stop(self) -> None:
        self.stopped = True
        self.console.close()

    def stderr(self) -> str:
        return "QEMU's words"


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK", 0.02)


def played(then: bytes, *pieces: bytes, **given: Any) -> tuple[Playback, Any, list[bytes]]:
    """A playback of a machine that says these pieces, and what is shown of it."""
    shown: list[bytes] = []
    heard = Heard(then, shown.append)
    machine: Any = Played(heard, *pieces, **given)
    return Playback(machine, heard), machine, shown


def test_a_machine_that_says_the_same_to_its_end_is_the_same() -> None:
    playback, machine, shown = played(b"one two three", b"one ", b"two ", b"three")
    assert playback.run(None) is False
    playback.close()
    assert b"".join(shown) == b"one two three"
    assert machine.stopped
    assert not machine.paused


def test_it_stands_where_it_was_to_stop() -> None:
    playback, machine, _ = played(b"one two three", b"one ", b"two ", b"three")
    assert playback.run(6) is True
    playback.close()
    assert machine.paused
    assert bytes(playback.heard.data) == b"one two "


@pytest.mark.parametrize(
    ("then", "pieces", "at"),
    [
        (b"one two three", (b"one ", b"too "), 5),
        (b"one two", (b"one ", b"two", b" more"), 7),
        (b"one two three", (b"one ", b"two "), 8),
        (b"one two", (), 0),
    ],
)
def test_one_that_goes_another_way_is_an_error_that_says_where(
    then: bytes, pieces: tuple[bytes, ...], at: int
) -> None:
    playback, _, _ = played(then, *pieces)
    with pytest.raises(QemuFailed, match=f"at byte {at} of {len(then)} of its console") as raised:
        playback.run(None)
    playback.close()
    assert then.decode() in raised.value.evidence


def test_what_is_hidden_in_the_logs_may_be_anything() -> None:
    playback, _, _ = played(b"before ****** after", b"before ", b"secret after")
    assert playback.run(None) is False
    playback.close()


def test_one_that_ends_while_it_is_asked_has_ended_and_nothing_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    playback, machine, _ = played(b"one", b"one")
    reads = playback.heard.wait
    # What it has said is heard later than it has ended.
    monkeypatch.setattr(playback.heard, "wait", lambda size, timeout: machine.ended and reads(size, timeout))
    assert playback.run(None) is False
    playback.close()


def test_one_that_answers_no_more_and_is_there_is_an_error() -> None:
    playback, machine, _ = played(b"one two", b"one", ends=False)
    machine.ended, machine.wait_exit = "not yet known", lambda _: None
    with pytest.raises(QemuFailed, match="gone before it answered"):
        playback.run(None)
    playback.close()


def test_a_log_that_is_over_is_the_end_of_it() -> None:
    playback, machine, _ = played(b"one", b"one", ends=False)
    machine.runs = False
    assert playback.run(None) is False
    playback.close()


def test_one_that_stands_still_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STANDS_STILL", 0.05)
    playback, _, _ = played(b"one two", b"one ", ends=False)
    with pytest.raises(QemuFailed, match=r"goes on no more: .* at instruction 1") as raised:
        playback.run(None)
    playback.close()
    assert raised.value.evidence == "QEMU's words"


def test_places_to_step_back_to_are_kept_where_gdb_will_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BETWEEN_PLACES", 0.0)
    playback, machine, _ = played(b"one two", b"one ", b"two", steps_back=True)
    playback.run(None)
    playback.close()
    assert machine.saved[:2] == [("place1", "disk", ["disk"]), ("place2", "disk", ["disk"])]
    assert machine.dismissed == [name for name, _, _ in machine.saved]


def test_what_keeps_a_place_from_being_saved_is_returned() -> None:
    playback, machine, _ = played(b"one", b"one")
    machine.start_paused()
    machine.job_error = "no room"
    assert keep_place(machine, "begin") == "no room"
    machine.job_error, machine.concludes = "", False
    assert keep_place(machine, "again").startswith("not done within ")
    playback.close()


def test_a_machine_for_nobody_keeps_no_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BETWEEN_PLACES", 0.0)
    playback, machine, _ = played(b"one", b"one")
    playback.run(None)
    playback.close()
    assert machine.saved == []


def test_a_stub_that_qemu_does_not_open_is_an_error(tmp_path: Path) -> None:
    playback, machine, _ = played(b"one", b"one")
    machine.answers = ["gdbstub: not here"]
    with pytest.raises(QemuFailed, match="opens no stub") as raised:
        playback.let_gdb_in(tmp_path / "gdb")
    assert raised.value.evidence == "gdbstub: not here"
