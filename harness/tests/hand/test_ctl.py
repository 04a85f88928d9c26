"""The socket of a machine by hand, and ``gokharness ctl``."""

from __future__ import annotations

import json
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import OptionError
from harness.hand import ctl
from harness.hand.ctl import Desk
from harness.machine.run_dir import LockedFolder, runtime_base
from harness.tests.hand.played import Played, played


class Machines:
    """Machines by hand, each in a run of its own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.desks: list[Desk] = []

    def start(self, name: str) -> Played:
        folder = self._folder / name
        folder.mkdir()
        made = self._stack.enter_context(played(folder))
        made.hand.name = name
        run = LockedFolder.create(runtime_base())
        self._stack.callback(run.remove)
        self.desks.append(self._stack.enter_context(Desk(made.hand, run.path, title=f"{name} on virt")))
        return made


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    with tempfile.TemporaryDirectory(prefix="gk-") as runtime, ExitStack() as stack:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        yield Machines(tmp_path, stack)


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["ctl", *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_one_line_of_json_comes_back(machines: Machines, capsys: pytest.CaptureFixture[str]) -> None:
    made = machines.start("one")
    status, out, _ = ask(capsys, "checkpoint", "a b")
    assert status == 0
    assert out.count("\n") == 1
    answer = json.loads(out)
    assert (answer["machine"], answer["command"], answer["ok"]) == ("one", "checkpoint", True)
    assert "'a b' is kept" in answer["said"]
    assert made.appliance.asked == ["checkpoint a b"]


def test_what_could_not_be_done_is_status_1(machines: Machines, capsys: pytest.CaptureFixture[str]) -> None:
    made = machines.start("one")
    made.appliance.power.is_on = False
    status, out, _ = ask(capsys, "reboot")
    assert status == 1
    assert json.loads(out)["ok"] is False
    assert "the machine is off" in json.loads(out)["error"]


def test_an_odd_failure_is_answered_as_well(machines: Machines, capsys: pytest.CaptureFixture[str]) -> None:
    made = machines.start("one")
    made.appliance.fails = {"reboot": ZeroDivisionError("odd")}  # type: ignore[dict-item]
    status, out, _ = ask(capsys, "reboot")
    assert status == 1
    assert json.loads(out)["error"] == "ZeroDivisionError: odd"


@pytest.mark.parametrize("words", [["frobnicate"], ["rewind"], ["update", ""]])
def test_what_is_no_command_is_wrong_input_and_asks_nobody(
    words: list[str], machines: Machines, capsys: pytest.CaptureFixture[str]
) -> None:
    made = machines.start("one")
    status, out, error = ask(capsys, *words)
    assert (status, out) == (4, "")
    assert "to do:" in error
    assert made.appliance.asked == []


def test_no_machine_is_one_clear_error(machines: Machines, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, error = ask(capsys, "reboot")
    assert (status, out) == (4, "")
    assert "no machine runs by hand" in error
    assert "gokharness boot" in error


def test_several_want_a_name(machines: Machines, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = machines.start("one"), machines.start("two")
    status, _, error = ask(capsys, "reboot")
    assert status == 4
    assert "2 machines run by hand" in error
    assert "one (one on virt); two (two on virt)" in error
    assert ask(capsys, "--name", "two", "reboot")[0] == 0
    assert (one.appliance.asked, two.appliance.asked) == ([], ["reboot"])
    status, _, error = ask(capsys, "--name", "three", "reboot")
    assert status == 4
    assert "no machine of the name 'three'" in error


def test_a_second_machine_gets_another_name_unless_one_was_given(machines: Machines) -> None:
    assert ctl.free_name("mine", given=True) == "mine"
    machines.start("mine")
    assert ctl.free_name("mine", given=False) == "mine-2"
    with pytest.raises(OptionError, match="runs already"):
        ctl.free_name("mine", given=True)


def test_the_help_needs_no_machine(machines: Machines, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = ask(capsys, "help")
    assert status == 0
    assert "checkpoint NAME" in out


def test_the_socket_is_ours_alone_and_gone_with_its_machine(
    tmp_path: Path, machines: Machines, capsys: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as stack:
        first = Machines(tmp_path, stack)
        first.start("one")
        (found,) = ctl.running()
        assert stat.S_IMODE(found.socket.parent.stat().st_mode) == 0o700
        assert found.socket.is_relative_to(runtime_base())
    assert ctl.running() == []
    assert list(runtime_base().glob("run-*")) == []


def test_what_a_dead_run_left_is_no_machine(machines: Machines, capsys: pytest.CaptureFixture[str]) -> None:
    machines.start("one")
    folder = runtime_base() / "run-dead"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / ctl.SOCKET))
    assert [one.name for one in ctl.running()] == ["one"]


@pytest.mark.parametrize("line", [b"\n", b"reboot\n", b"[]\n", b'{"words": "reboot"}\n', b'{"words": []}\n'])
def test_a_line_that_is_no_command_is_answered(line: bytes, machines: Machines) -> None:
    machines.start("one")
    (found,) = ctl.running()
    with socket.socket(socket.AF_UNIX) as there:
        there.connect(str(found.socket))
        there.sendall(line)
        answer = json.loads(there.makefile("rb").readline())
    assert answer["ok"] is False
    assert "to do:" in answer["error"]


def test_quit_is_answered_before_the_end(machines: Machines, capsys: pytest.CaptureFixture[str]) -> None:
    made = machines.start("one")
    status, out, _ = ask(capsys, "quit")
    assert status == 0
    assert json.loads(out)["said"] == "the machine ends"
    assert made.bell.rung
